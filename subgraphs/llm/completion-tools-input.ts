import { isObject, type InputProblems } from './input-problems.ts';
import type { ResponseFormat, ToolChoice, ToolDefinition } from './providers/provider.ts';
import type { ResponseFormatInput, ToolInput } from './resolver-types.ts';

const toolsMax = 128;

/** Names that OpenAI, Anthropic and DeepSeek all take. */
export const toolNamePattern = /^[A-Za-z0-9_-]{1,64}$/;
const nameReason = 'must be 1 to 64 letters, digits, _ or -';

export function readTools(problems: InputProblems, inputs: readonly ToolInput[]): ToolDefinition[] {
  if (inputs.length > toolsMax) problems.add('tools', `must hold at most ${toolsMax} tools`);
  const names = new Set<string>();
  return inputs.slice(0, toolsMax).map(({ function: definition }, index) => {
    const path = `tools[${index}].function`;
    const { name, description, parameters, strict } = definition;
    if (!toolNamePattern.test(name)) problems.add(`${path}.name`, nameReason);
    if (names.has(name)) problems.add(`${path}.name`, `is used by another tool: ${name.slice(0, 64)}`);
    names.add(name);
    if (description != null) problems.text(`${path}.description`, description);
    return {
      name,
      description: description ?? undefined,
      parameters: readSchema(problems, `${path}.parameters`, parameters),
      strict: strict ?? undefined,
    };
  });
}

function readSchema(
  problems: InputProblems,
  path: string,
  schema: unknown,
): Readonly<Record<string, unknown>> | undefined {
  if (schema == null) return undefined;
  if (!isObject(schema)) return void problems.add(path, 'must be a JSON Schema object');
  problems.json(path, schema);
  return schema;
}

export function readToolChoice(
  problems: InputProblems,
  choice: unknown,
  tools: readonly ToolDefinition[],
): ToolChoice | undefined {
  if (choice == null) return undefined;
  if (choice === 'auto' || choice === 'none') return tools.length === 0 ? undefined : choice;
  if (choice === 'required') {
    if (tools.length === 0) problems.add('toolChoice', 'needs tools to choose from');
    return choice;
  }
  const named = isObject(choice) && choice['type'] === 'function' ? choice['function'] : undefined;
  const name = isObject(named) ? named['name'] : undefined;
  if (typeof name !== 'string')
    return void problems.add(
      'toolChoice',
      'must be "auto", "none", "required" or {type: "function", function: {name}}',
    );
  if (!tools.some((tool) => tool.name === name))
    problems.add('toolChoice.function.name', `is not one of the tools: ${name.slice(0, 64)}`);
  return { name };
}

export function readResponseFormat(problems: InputProblems, input: ResponseFormatInput): ResponseFormat | undefined {
  const { type, jsonSchema } = input;
  if (type !== 'JSON_SCHEMA') {
    if (jsonSchema != null) problems.add('responseFormat.jsonSchema', 'belongs to the type JSON_SCHEMA');
    return { type: type === 'TEXT' ? 'text' : 'json_object' };
  }
  if (jsonSchema == null) return void problems.add('responseFormat.jsonSchema', 'is required for the type JSON_SCHEMA');
  const { name, description, strict } = jsonSchema;
  if (!toolNamePattern.test(name)) problems.add('responseFormat.jsonSchema.name', nameReason);
  if (description != null) problems.text('responseFormat.jsonSchema.description', description);
  const schema = readSchema(problems, 'responseFormat.jsonSchema.schema', jsonSchema.schema);
  if (schema === undefined && jsonSchema.schema == null)
    problems.add('responseFormat.jsonSchema.schema', 'must be a JSON Schema object');
  return {
    type: 'json_schema',
    name,
    description: description ?? undefined,
    schema: schema ?? {},
    strict: strict ?? undefined,
  };
}
