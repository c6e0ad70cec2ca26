// Owns the proof of terminals with podman.
import tap from 'tap';
import { declareNeeds } from '../system/needs.ts';
import { proveTerminals } from './lifeTerminal.ts';
import { podmanStage } from './podmanStage.ts';

declareNeeds('crun', 'podman', 'python3', 'base-tools');
tap.setTimeout(900_000);

proveTerminals(podmanStage);
