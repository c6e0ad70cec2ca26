import { test } from 'tap';
import { fillIn, join } from '../../../lib/engine/flags/template.ts';
import { renderWord } from '../../../lib/engine/words.ts';
import { placeholderIds, placeholders, templateVariables } from '../../../lib/spec/placeholders.ts';

test('every placeholder of a plan that container engines are given is a variable of the script', async (t) => {
  const { argv, ...texts } = placeholders;
  const tokens = [...Object.values(texts), ...Object.values(placeholderIds).map(String)];
  t.same(Object.keys(templateVariables).sort(), tokens.sort());
  t.notOk(argv in templateVariables);
});

test('text around a placeholder is quoted, the placeholder is a quoted variable', async (t) => {
  t.equal(renderWord(fillIn("SANDBOX_RUN_ID=@@RUN_ID@@ it's")), `SANDBOX_RUN_ID="$id"' it'\\''s'`);
  t.equal(renderWord(join('0:', fillIn('4199999901'), ':1')), '0:"$root_uid":1');
});
