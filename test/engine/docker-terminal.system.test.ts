// Owns the proof of terminals with docker.
import tap from 'tap';
import { declareNeeds } from '../system/needs.ts';
import { startDocker } from './dockerScene.ts';
import { dockerStage } from './dockerStage.ts';
import { proveTerminals } from './lifeTerminal.ts';

declareNeeds('crun', 'docker', 'python3', 'base-tools');
tap.setTimeout(900_000);

proveTerminals(dockerStage(await startDocker()));
