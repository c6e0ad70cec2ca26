// Owns the proof of /dev without file systems of its own: POSIX shared memory works, is bounded, and nothing else of /dev takes anything.
import { declareNeeds } from './needs.ts';
import { testAsBoth } from './scene.ts';

declareNeeds('crun', 'base-tools', 'python-tools');

const share = `import json, multiprocessing, os
from multiprocessing import shared_memory
fork = multiprocessing.get_context('fork')
memory = shared_memory.SharedMemory(name='seen-here', create=True, size=4096)
ready, lock = fork.Semaphore(0), fork.Lock()
def work():
    mine = shared_memory.SharedMemory(name='seen-here')
    for _ in range(1000):
        with lock:
            mine.buf[0:2] = (int.from_bytes(mine.buf[0:2], 'little') + 1).to_bytes(2, 'little')
    mine.close()
    ready.release()
workers = [fork.Process(target=work) for _ in range(2)]
for worker in workers: worker.start()
took = all(ready.acquire(timeout=60) for _ in workers)
for worker in workers: worker.join()
count, listed = int.from_bytes(memory.buf[0:2], 'little'), os.listdir('/dev/shm')
memory.close()
memory.unlink()
where = os.stat('/dev/shm')
print(json.dumps([took, count, listed, os.listdir('/dev/shm'), oct(where.st_mode & 0o7777), where.st_uid == os.getuid()]))
`;

testAsBoth('processes share memory and semaphores by name', async (t, scene) => {
  const ended = await scene.run(['-p', 'python-tools', '--', 'python3', '-c', share]);
  t.equal(ended.stdout, '[true, 2000, ["seen-here"], [], "0o700", true]\n', ended.stderr);
});

testAsBoth('refuses every change of /dev', async (t, scene) => {
  const script = `export LC_ALL=C
try() {
	"$@" 2>/tmp/why && echo "$*: done" && return
	grep -qE "Read-only file system|Device or resource busy" /tmp/why || cat /tmp/why
}
for place in /dev /dev/pts/..; do
	try touch "$place/new"
	try mkdir "$place/new"
	try ln -s /workspace "$place/new"
	try rm -f "$place/shm"
	try rm -f "$place/console"
	try mv "$place/shm" "$place/new"
	try ln -sfn /workspace "$place/shm"
	try mv -f "$place/null" "$place/new"
	try chmod 0777 "$place"
done
cd /run && touch new && rm new && ln -s /workspace link && mv link other && rm other && echo control
echo something >/dev/null && head -c 4 /dev/zero | wc -c
`;
  const ended = await scene.run(['-p', 'base-tools', '--', 'sh', '-c', script]);
  t.equal(ended.stdout, 'control\n4\n', ended.stderr);
});

testAsBoth('refuses to execute shared memory, or to fill more than the profile has for it', async (t, scene) => {
  const text = 'extends: base-tools\ntmpfs: { tmp: 2m, run: 1m, inodes: 32 }\n';
  const profile = scene.write('shared.yaml', text);
  const script = `export LC_ALL=C
for place in /dev/shm /workspace; do
	printf '#!/bin/sh\\necho ran in %s\\n' $place >$place/script && chmod 700 $place/script
	$place/script 2>&1 | grep -oE 'ran in .*|Permission denied'
	rm $place/script
done
head -c 4000000 /dev/zero 2>&1 >/dev/shm/large | grep -o 'No space left on device'
wc -c </dev/shm/large
rm /dev/shm/large
n=0; while [ $n -lt 100 ] && : 2>/dev/null >/dev/shm/f$n; do n=$((n + 1)); done
[ $n -gt 50 ] && [ $n -lt 64 ] && echo bounded
ls /run
`;
  const ended = await scene.run(['-p', profile, '--', 'bash', '-c', script]);
  const wanted = [
    'Permission denied',
    'ran in /workspace',
    'No space left on device',
    String(3 * 2 ** 20),
    'bounded',
    'shm',
  ];
  t.equal(ended.stdout, `${wanted.join('\n')}\n`, ended.stderr);
});
