import { test } from 'tap';
import { chooseBuildUser } from '../../lib/image/builduser.ts';

const accounts = {
  passwd:
    'root:x:0:0::/root:/bin/sh\ncofferdam:x:999:995::/var/lib/cofferdam:/bin/false\nana:x:1000:1000::/home/ana:/bin/sh\n',
  subuid: 'cofferdam:231072:65536\n1000:100000:65536\n',
  subgid: 'cofferdam:231072:65536\nana:100000:65536\n',
};

test('root builds as the system user, others as themselves', async (t) => {
  t.same(chooseBuildUser(0, accounts), { name: 'cofferdam', uid: 999, gid: 995 });
  t.same(chooseBuildUser(1000, accounts), { name: 'ana', uid: 1000, gid: 1000 });
});

test('refuses root without the system user, and a user without a range', async (t) => {
  t.throws(() => chooseBuildUser(0, { ...accounts, passwd: 'root:x:0:0::/root:/bin/sh\n' }), {
    code: 'HOST_UNPREPARED',
    remedy: 'as root: sandbox setup',
  });
  t.throws(() => chooseBuildUser(1000, { ...accounts, subgid: '' }), {
    code: 'HOST_UNPREPARED',
    message: /\/etc\/subgid/,
    remedy: 'as root: sandbox setup --user ana',
  });
  t.throws(() => chooseBuildUser(1000, { ...accounts, subuid: 'ana:1:100\n' }), { code: 'HOST_UNPREPARED' });
  t.throws(() => chooseBuildUser(7, accounts), { code: 'HOST_UNPREPARED' });
});
