import fc from 'fast-check';
import { expect, test } from 'vitest';
import { nestsDeeper } from './json-body.ts';

const depthOf = (value: unknown): number =>
  typeof value === 'object' && value !== null ? 1 + Math.max(0, ...Object.values(value).map(depthOf)) : 0;

test('the depth of a JSON text is known without parsing it, whatever its texts hold', () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 6 }), fc.nat(8), fc.boolean(), (value, depth, pretty) => {
      const text = JSON.stringify(value, undefined, pretty ? 2 : 0);
      expect(nestsDeeper(text, depth)).toBe(depthOf(value) > depth);
    }),
  );
  expect(nestsDeeper(JSON.stringify(['[[[[', '{\\"', '"{', '\\']), 1)).toBe(false);
});
