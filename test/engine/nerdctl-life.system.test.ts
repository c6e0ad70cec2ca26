// Owns the proof of the life of nerdctl's sandboxes.
import tap from 'tap';
import { declareNeeds } from '../system/needs.ts';
import { proveExec } from './lifeExec.ts';
import { proveVerbs } from './lifeVerbs.ts';
import { startContainerd } from './nerdctlScene.ts';
import { nerdctlStage } from './nerdctlStage.ts';
import { startRootless } from './rootlessScene.ts';

declareNeeds('crun', 'unshare', 'base-tools');
// Hundreds of command lines, on whatever machine: a bound, not an expectation.
tap.setTimeout(900_000);

const stage = nerdctlStage(await startContainerd(), await startRootless());

proveVerbs(stage);
proveExec(stage);
