// Owns the proof that docker's sandboxes leave nothing of themselves, of the daemon's or of our scripts.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import tap from 'tap';
import { locateCgroups } from '../../lib/engine/cgroupPlace.ts';
import { declareNeeds } from '../system/needs.ts';
import { findProcesses } from '../system/traces.ts';
import { startDocker } from './dockerScene.ts';
import { dockerStage } from './dockerStage.ts';
import { foldersBelow, proveCycles } from './lifeCycles.ts';

declareNeeds('crun', 'docker', 'base-tools');
// A bound on whatever machine, not an expectation.
tap.setTimeout(900_000);

const docker = await startDocker();

async function standing(): Promise<string[]> {
  const mounts = readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .filter((line) => line.includes(docker.home));
  const groups = locateCgroups(0).folders.flatMap(({ path }) => foldersBelow(join(path, '../docker')));
  const containers = (await docker.docker('ps', '--all', '--quiet')).split('\n').filter((line) => line !== '');
  const processes = findProcesses(docker.home).map(({ command }) => `process ${command}`);
  return [...processes, ...mounts, ...groups, ...containers, ...foldersBelow(docker.home)];
}

proveCycles(dockerStage(docker), standing);
