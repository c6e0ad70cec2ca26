// Tests which mount points count as below a folder.
import { test } from 'tap';
import { findMountsBelow } from '../../lib/run/mounts.ts';

const line = (point: string) => `42 30 8:1 /usr/bin/crun ${point} ro,relatime shared:1 - ext4 /dev/sda1 rw`;

test('mount points below a folder are found, the last mounted first', (t) => {
  const text = ['/', '/run/a', '/run/a/x', '/run/ab/y', '/run/a/x/z', ''].map((point) =>
    point === '' ? '' : line(point),
  );
  t.same(findMountsBelow(text.join('\n'), '/run/a'), ['/run/a/x/z', '/run/a/x']);
  t.end();
});

test('a blank in a mount point is read as proc(5) writes it', (t) => {
  t.same(findMountsBelow(line('/run/my\\040runs/x'), '/run/my runs'), ['/run/my runs/x']);
  t.end();
});
