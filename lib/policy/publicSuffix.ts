// Owns which names are public suffixes, under which strangers register theirs: a wildcard there would allow everybody.

/** Second labels under which country registries sell names: `co.uk`, `com.au`, `or.jp`. */
const registrySecond = new Set(
  'ac asn co com ed edu firm gen go gob gouv gov govt gv id ind inf info ltd me mil muni ne net nhs nom or org ong plc pro res sch school sci tm web'.split(
    ' ',
  ),
);

/** Suffixes under which a hoster gives a name to whoever asks (the private section of publicsuffix.org has all). */
const hosting = new Set(
  `appspot.com azureedge.net azurewebsites.net blogspot.com cloudapp.net cloudfront.net amazonaws.com s3.amazonaws.com
  core.windows.net blob.core.windows.net windows.net deno.dev duckdns.org edgekey.net fastly.net firebaseapp.com fly.dev
  github.dev github.io githubpreview.dev gitlab.io glitch.me herokuapp.com hf.space netlify.app ngrok-free.app ngrok.app
  ngrok.io nip.io onrender.com pages.dev r2.dev railway.app repl.co replit.app replit.dev run.app sslip.io trycloudflare.com
  vercel.app web.app workers.dev xip.io`.split(/\s+/),
);

/**
 * Whether `host` (canonical) is a public suffix by our rule: one label; a two-letter country code after one of the second
 * labels above; a hoster's suffix above, or an `amazonaws.com` name below it. Not all of publicsuffix.org: what is missing
 * here is a name such as `*.kobe.jp`, which a person has to write before it does harm.
 */
export function isPublicSuffix(host: string): boolean {
  const labels = host.split('.');
  if (labels.length === 1 || hosting.has(host) || host.endsWith('.amazonaws.com')) return true;
  const [second = '', top = ''] = labels;
  return labels.length === 2 && top.length === 2 && registrySecond.has(second);
}
