// Owns the proof that of several scopes the smallest bound holds.
import { test } from 'tap';
import { appliesTo, type Principal } from '../../lib/policy/decide.ts';
import { decideLimits } from '../../lib/policy/limits.ts';
import { builtInLimits } from '../../lib/policy/schema.ts';
import { policy } from './world.ts';

const rules = policy(
  'global: {limits: {atOnce: 100, perRun: {requests: 10}}}',
  'profiles: {py: {limits: {perRun: {requests: 20, bytes: 1k}}}}',
  'tools: {web: {limits: {atOnce: 7, perMinute: {connections: 0}}}}',
);
const of = (principal: Principal) => decideLimits(rules, (scope) => appliesTo(scope, principal));

test('where nothing is said the built-in limits hold', async (t) => {
  const none = decideLimits(policy('{}'), () => true);
  t.same(none, builtInLimits);
});

test('a scope lowers the bounds of another and never lifts them', async (t) => {
  t.match(of({}), { atOnce: 100, perRun: { requests: 10, bytes: builtInLimits.perRun.bytes } });
  t.match(of({ profile: 'py' }), { atOnce: 100, perRun: { requests: 10, bytes: 1024 } });
  t.match(of({ profile: 'py', tool: 'web' }), { atOnce: 7, perRun: { bytes: 1024 }, perMinute: { connections: 0 } });
  t.match(of({ tool: 'other' }), of({}));
});
