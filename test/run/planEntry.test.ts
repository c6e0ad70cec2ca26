// Owns what makes an entry of the plan index hold, asked from Node: everything that was part of the plan, as it was.
import { appendFileSync, readFileSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Test, test } from 'tap';
import { runToolSync } from '../../lib/base/exec.ts';
import { resolvePaths } from '../../lib/base/paths.ts';
import { findPlanned } from '../../lib/run/planEntry.ts';
import { type IndexInputs, writeIndex } from '../../lib/run/planIndex.ts';

const digest = 'a'.repeat(64);
const homes = {
  install: '/opt/cofferdam',
  config: '/h/.config/cofferdam',
  state: '/h/.local/state/cofferdam',
  run: '/r/cofferdam',
};

function makeEntry(t: Test, change: Partial<IndexInputs> = {}) {
  const folder = t.testdir({ index: {}, input: 'text', 'other input': 'text', needed: {} });
  const at = (name: string) => join(folder, name);
  const inputs: IndexInputs = {
    install: homes.install,
    homes,
    uid: 1000,
    files: [at('input'), at('other input')],
    absent: [at('absent')],
    folders: [at('needed')],
    callers: undefined,
    ...change,
  };
  writeIndex(at('index'), 'key', { directory: `/plans/${digest}`, digest: `sha256:${digest}` }, inputs);
  return { at, find: (cgroup = '0::/any\n') => findPlanned(at('index/key'), homes, cgroup) };
}

test('an entry holds while everything is as it was', (t) => {
  t.equal(makeEntry(t).find(), digest);
  t.end();
});

const changes: Readonly<Record<string, (at: (name: string) => string) => void>> = {
  'a file of another size': (at) => appendFileSync(at('input'), 'more'),
  'a file of the same size and time': (at) => {
    const { atime, mtime } = statSync(at('other input'));
    writeFileSync(at('other input'), 'TEXT');
    utimesSync(at('other input'), atime, mtime);
  },
  'another file of that name': (at) => {
    writeFileSync(at('new'), 'text');
    renameSync(at('new'), at('input'));
  },
  'a file that is gone': (at) => rmSync(at('input')),
  'a file that has appeared': (at) => writeFileSync(at('absent'), ''),
  'a folder that is gone': (at) => rmSync(at('needed'), { recursive: true }),
  'a folder that is a file now': (at) => {
    rmSync(at('needed'), { recursive: true });
    writeFileSync(at('needed'), '');
  },
  'an entry that is gone': (at) => rmSync(at('index/key')),
};
for (const [what, change] of Object.entries(changes)) {
  test(`refuses ${what}`, (t) => {
    const { at, find } = makeEntry(t);
    t.equal(find(), digest);
    change(at);
    t.equal(find(), undefined);
    t.end();
  });
}

test('refuses the plan of another checkout, of an entry without inputs, and of an older form', (t) => {
  const { at, find } = makeEntry(t);
  const text = readFileSync(at('index/key'), 'utf8');
  t.equal(findPlanned(at('index/key'), { ...homes, install: '/opt/other' }, ''), undefined);
  for (const kind of ['input', 'install', 'home', 'plan']) {
    writeFileSync(at('index/key'), text.replaceAll(new RegExp(`^#${kind} .*\n`, 'gm'), ''));
    t.equal(find(), undefined, kind);
  }
  writeFileSync(at('index/key'), text.replace(`#plan ${digest}`, '#plan ../../elsewhere'));
  t.equal(find(), undefined);
  t.end();
});

test('refuses the plan of other folders of the caller, in the shell and in Node', (t) => {
  const folder = t.testdir({ index: {}, input: 'text' });
  const plan = { directory: '/plans/p', digest: `sha256:${digest}` };
  const usual = { HOME: '/h', XDG_RUNTIME_DIR: '/r' };
  const others: [Readonly<Record<string, string>>, number, boolean][] = [
    [usual, 1000, true],
    [{ ...usual, XDG_CONFIG_HOME: '/h/.config', XDG_STATE_HOME: 'relative' }, 1000, true],
    [{ ...usual, HOME: '/other' }, 1000, false],
    [{ ...usual, XDG_CONFIG_HOME: '/other' }, 1000, false],
    [{ ...usual, XDG_STATE_HOME: '/other' }, 1000, false],
    [{ HOME: '/h' }, 1000, false],
    [{ HOME: '/h', XDG_RUNTIME_DIR: '/r/../r' }, 1000, false],
    [{ HOME: '/other' }, 0, true],
  ];
  for (const [env, uid, holds] of others) {
    const made = resolvePaths({ uid, env: usual, install: folder });
    writeIndex(join(folder, 'index'), 'key', plan, {
      install: folder,
      homes: made,
      uid,
      files: [join(folder, 'input')],
      absent: [],
      folders: [],
      callers: undefined,
    });
    const file = join(folder, 'index/key');
    const script = 'install=$1; . "$2"; printf %s "$plan_folder"';
    const { stdout } = runToolSync('sh', ['-euc', script, 'sh', folder, file], { env });
    t.equal(stdout, holds ? '/plans/p' : '', `${JSON.stringify(env)} ${uid} in the shell`);
    const found = findPlanned(file, resolvePaths({ uid, env, install: folder }), '');
    // Node spells /r/../r as /r.
    t.equal(found, holds || env['XDG_RUNTIME_DIR'] === '/r/../r' ? digest : undefined, `${JSON.stringify(env)} ${uid}`);
  }
  t.end();
});

test('refuses a caller of another control group', (t) => {
  const callers = [
    { group: '/own', below: false },
    { group: '/runs.slice', below: true },
  ];
  const { find } = makeEntry(t, { callers });
  for (const group of ['/own', '/runs.slice', '/runs.slice/a/b']) t.equal(find(`0::${group}\n`), digest, group);
  for (const group of ['/own/below', '/other', '/runs.slice2', '/']) t.equal(find(`0::${group}\n`), undefined, group);
  t.equal(find('1:memory:/own\n'), undefined);
  t.end();
});

test('refuses to write an entry with a name that would begin another line', (t) => {
  for (const change of [{ absent: ['/a\n#install /opt/other'] }, { folders: ['/a\nb'] }]) {
    const { at } = makeEntry(t, change);
    t.equal(statSync(at('index/key'), { throwIfNoEntry: false }), undefined);
  }
  t.end();
});
