// Owns the proof of terminals with nerdctl.
import tap from 'tap';
import { declareNeeds } from '../system/needs.ts';
import { proveTerminals } from './lifeTerminal.ts';
import { startContainerd } from './nerdctlScene.ts';
import { nerdctlStage } from './nerdctlStage.ts';

declareNeeds('crun', 'unshare', 'python3', 'base-tools');
tap.setTimeout(900_000);

proveTerminals(nerdctlStage(await startContainerd()));
