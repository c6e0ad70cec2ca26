// Owns what makes an entry of the plan index hold, asked from Node: everything that was part of the plan, as it was.
import { appendFileSync, readFileSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Test, test } from 'tap';
import { findPlanned } from '../../lib/run/planEntry.ts';
import { type IndexInputs, writeIndex } from '../../lib/run/planIndex.ts';

const digest = 'a'.repeat(64);
const install = '/opt/cofferdam';

function makeEntry(t: Test, change: Partial<IndexInputs> = {}) {
  const folder = t.testdir({ index: {}, input: 'text', 'other input': 'text', needed: {} });
  const at = (name: string) => join(folder, name);
  const inputs: IndexInputs = {
    install,
    files: [at('input'), at('other input')],
    absent: [at('absent')],
    folders: [at('needed')],
    callers: undefined,
    ...change,
  };
  writeIndex(at('index'), 'key', { directory: `/plans/${digest}`, digest: `sha256:${digest}` }, inputs);
  return { at, find: (cgroup = '0::/any\n') => findPlanned(at('index/key'), install, cgroup) };
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
  t.equal(findPlanned(at('index/key'), '/opt/other', ''), undefined);
  for (const kind of ['input', 'install', 'plan']) {
    writeFileSync(at('index/key'), text.replaceAll(new RegExp(`^#${kind} .*\n`, 'gm'), ''));
    t.equal(find(), undefined, kind);
  }
  writeFileSync(at('index/key'), text.replace(`#plan ${digest}`, '#plan ../../elsewhere'));
  t.equal(find(), undefined);
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
