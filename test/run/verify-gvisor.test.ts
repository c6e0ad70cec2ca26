// Owns the proof that under gVisor every check has a meaning, and that facts of a guest are read strictly.
import { test } from 'tap';
import type { AroundGuest } from '../../lib/run/verify/evidence.ts';
import { readGuest } from '../../lib/run/verify/guest.ts';
import { judgeGuest, views } from '../../lib/run/verify/gvisor.ts';
import { allChecks } from '../../lib/run/verify/list.ts';
import { evidenceOf, factsOf } from './verify-scene.ts';

const nothing: AroundGuest = {
  sentry: factsOf({}),
  gofer: factsOf({}),
  guest: { program: factsOf({}), init: factsOf({}) },
};

test('each check that is judged from outside is listed, and nothing that is no check', async (t) => {
  const outside = allChecks.filter(({ inside }) => !inside).map(({ id }) => id);
  t.same(
    outside.filter((id) => !(id in views)),
    [],
  );
  const all = allChecks.map(({ id }) => id);
  t.same(
    Object.keys(views).filter((id) => !all.includes(id)),
    [],
  );
});

test('a check that nobody thought of under gVisor fails', async (t) => {
  const [check] = allChecks;
  if (check === undefined) throw new Error('no checks');
  const unknown = { ...check, id: 'identity.unheard-of', inside: false };
  t.equal(judgeGuest(unknown, evidenceOf({ name: 'ok', detail: '' }), nothing).level, 'FAIL');
});

test('nothing passes on what could not be read, and no skip is without a sentence', async (t) => {
  for (const check of allChecks.filter(({ inside }) => !inside)) {
    let level = 'FAIL';
    let seen = '';
    try {
      ({ level, seen } = judgeGuest(check, evidenceOf({ name: 'ok', detail: '' }), nothing));
    } catch {
      // What could not be read: verify.ts makes it a FAIL.
    }
    t.not(level, 'PASS', check.id);
    if (level === 'SKIP') t.match(seen, /^.{20,}$/, check.id);
  }
});

const base64 = (text: string) => Buffer.from(text).toString('base64');

test('the facts of a guest are read, and what follows is the report', async (t) => {
  const said = `fact 2/status ${base64('Uid:\t1\n')}\nfact 1/cmdline ${base64('/init\0')}\nfd 0 host:[1]\nend ok 0 -\n`;
  const { guest, rest } = readGuest(said);
  t.equal(guest.program.text('status'), 'Uid:\t1\n');
  t.equal(guest.init.text('cmdline'), '/init\0');
  t.same([...guest.program.links('fd')], [['0', 'host:[1]']]);
  t.equal(rest, 'end ok 0 -\n');
  t.throws(() => guest.program.text('environ'), 'what it does not say is not empty');
  t.throws(() => guest.program.links('ns'));
});

test('refuses facts that are no facts, and none at all', async (t) => {
  t.throws(() => readGuest('fact status\nend ok 0 -\n'), { code: 'LAUNCH_FAILED' });
  t.throws(() => readGuest('fd 0 \nend ok 0 -\n'), { code: 'LAUNCH_FAILED' });
  t.throws(() => readGuest('end ok 0 -\n'), { code: 'LAUNCH_FAILED' });
});
