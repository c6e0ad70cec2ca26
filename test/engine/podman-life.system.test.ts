// Owns the proof of the life of podman's sandboxes.
import tap from 'tap';
import { declareNeeds } from '../system/needs.ts';
import { proveExec } from './lifeExec.ts';
import { proveMeddled } from './lifeMeddled.ts';
import { proveVerbs } from './lifeVerbs.ts';
import { podmanStage } from './podmanStage.ts';

declareNeeds('crun', 'podman', 'nsenter', 'base-tools');
// Hundreds of command lines, on whatever machine: a bound, not an expectation.
tap.setTimeout(900_000);

proveVerbs(podmanStage);
proveExec(podmanStage);
proveMeddled(podmanStage);
