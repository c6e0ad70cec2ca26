// Owns the bytes that are signed: DSSE's pre-authentication encoding, which binds a payload to its type.

/**
 * `DSSEv1 LEN(type) type LEN(body) body`, lengths in bytes as decimal ASCII. Source of the rule: DSSE protocol v1.0.2,
 * "Signature Definition".
 */
export function encodePae(type: string, body: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from(`DSSEv1 ${Buffer.byteLength(type)} ${type} ${body.length} `), body]);
}
