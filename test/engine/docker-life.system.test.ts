// Owns the proof of the life of docker's sandboxes, also when the daemon is gone.
import tap from 'tap';
import { declareNeeds } from '../system/needs.ts';
import { startDocker } from './dockerScene.ts';
import { dockerStage } from './dockerStage.ts';
import { proveExec } from './lifeExec.ts';
import { proveMeddled } from './lifeMeddled.ts';
import { proveVerbs } from './lifeVerbs.ts';

declareNeeds('crun', 'docker', 'base-tools');
// Hundreds of command lines, on whatever machine: a bound, not an expectation.
tap.setTimeout(900_000);

const docker = await startDocker();

const stage = dockerStage(docker);

proveVerbs(stage);
proveExec(stage);
proveMeddled(stage);
