// Made from schema/llm.graphql by `npm run generate`. Generated, never edited.
import type { GraphQLResolveInfo, GraphQLScalarType, GraphQLScalarTypeConfig } from 'graphql';
import type { ResolverContext } from '#platform/subgraph-server.ts';
export type Maybe<T> = T | null | undefined;
export type InputMaybe<T> = T | null | undefined;
export type Omit<T, K extends keyof T> = Pick<T, Exclude<keyof T, K>>;
export type RequireFields<T, K extends keyof T> = Omit<T, K> & { [P in K]-?: NonNullable<T[P]> };
/** All built-in and custom scalars, mapped to their actual values */
export type Scalars = {
  ID: { input: string; output: string; }
  String: { input: string; output: string; }
  Boolean: { input: boolean; output: boolean; }
  Int: { input: number; output: number; }
  Float: { input: number; output: number; }
  /** Any JSON value. */
  JSON: { input: unknown; output: unknown; }
  /** RFC 3339, UTC. */
  DateTime: { input: string; output: Date | string; }
  /** The numbers of one embedding. */
  Vector: { input: number[]; output: number[] | Float32Array; }
  /**
   * A message's content: a string, or a list of parts `{type: "text", text}` and
   * `{type: "image_url", image_url: {url, detail}}` (an https or data URL).
   */
  MessageContent: { input: unknown; output: unknown; }
  /** `"auto"`, `"none"`, `"required"`, or `{type: "function", function: {name}}`. */
  ToolChoice: { input: unknown; output: unknown; }
  _FieldSet: { input: unknown; output: unknown; }
};

export type AccessRole =
  | 'OPERATOR'
  | 'SERVICE'
  | 'AGENT'
  | 'MEMBER';

export type Query = {
  /** The models this server can answer with, and whether each is available now. */
  readonly models: ModelConnection;
  /** One model by id, alias, or `provider/model`; null when nobody knows it. */
  readonly model?: Maybe<Model>;
  /** What was used and what it cost. `period` is a length back from now (`30d`, `24h`, `90m`, `4w`) or `from/to` in RFC 3339. */
  readonly llmUsage: LlmUsage;
  /** Requests one by one, newest first. */
  readonly llmRequests: LlmRequestConnection;
};


export type QueryModelsArgs = {
  provider?: InputMaybe<Scalars['String']['input']>;
  first?: InputMaybe<Scalars['Int']['input']>;
  after?: InputMaybe<Scalars['String']['input']>;
};


export type QueryModelArgs = {
  id: Scalars['ID']['input'];
};


export type QueryLlmUsageArgs = {
  microdaoId?: InputMaybe<Scalars['ID']['input']>;
  filter?: InputMaybe<LlmUsageFilter>;
  period?: InputMaybe<Scalars['String']['input']>;
  groupBy?: InputMaybe<LlmUsageGroupBy>;
};


export type QueryLlmRequestsArgs = {
  microdaoId?: InputMaybe<Scalars['ID']['input']>;
  filter?: InputMaybe<LlmUsageFilter>;
  period?: InputMaybe<Scalars['String']['input']>;
  first?: InputMaybe<Scalars['Int']['input']>;
  after?: InputMaybe<Scalars['String']['input']>;
};

export type Mutation = {
  /** Answers a conversation, whole. */
  readonly complete: Completion;
  /** Turns texts into vectors. */
  readonly embed: EmbedResult;
  /** Sets the price of a model from now on. Rows written before keep the price they were written with. */
  readonly setModelPrice: Model;
};


export type MutationCompleteArgs = {
  input: CompleteInput;
};


export type MutationEmbedArgs = {
  input: EmbedInput;
};


export type MutationSetModelPriceArgs = {
  input: SetModelPriceInput;
};

export type Subscription = {
  /** Answers a conversation, one event per delta; the last event is always CompletionFinished or CompletionFailed. */
  readonly completion: CompletionEvent;
};


export type SubscriptionCompletionArgs = {
  input: CompleteInput;
};

export type MessageRole =
  | 'SYSTEM'
  | 'USER'
  | 'ASSISTANT'
  | 'TOOL';

export type MessageInput = {
  readonly role: MessageRole;
  readonly content?: InputMaybe<Scalars['MessageContent']['input']>;
  /** Who speaks, where several share a role. */
  readonly name?: InputMaybe<Scalars['String']['input']>;
  /** Of an assistant: the calls it made. */
  readonly toolCalls?: InputMaybe<ReadonlyArray<ToolCallInput>>;
  /** Of a tool: the call it answers. */
  readonly toolCallId?: InputMaybe<Scalars['String']['input']>;
  /** Of an assistant: what the provider wants back unchanged, as `Message.providerState` gave it. */
  readonly providerState?: InputMaybe<Scalars['JSON']['input']>;
};

export type ToolType =
  | 'FUNCTION';

export type ToolCallInput = {
  readonly id: Scalars['String']['input'];
  readonly type?: ToolType;
  readonly function: FunctionCallInput;
};

export type FunctionCallInput = {
  readonly name: Scalars['String']['input'];
  /** JSON as text, as the model wrote it. */
  readonly arguments: Scalars['String']['input'];
};

export type ToolInput = {
  readonly type?: ToolType;
  readonly function: FunctionInput;
};

export type FunctionInput = {
  readonly name: Scalars['String']['input'];
  readonly description?: InputMaybe<Scalars['String']['input']>;
  /** JSON Schema of the arguments. */
  readonly parameters?: InputMaybe<Scalars['JSON']['input']>;
  readonly strict?: InputMaybe<Scalars['Boolean']['input']>;
};

export type ResponseFormatType =
  | 'TEXT'
  | 'JSON_OBJECT'
  | 'JSON_SCHEMA';

export type ResponseFormatInput = {
  readonly type: ResponseFormatType;
  /** Required for JSON_SCHEMA. */
  readonly jsonSchema?: InputMaybe<JsonSchemaInput>;
};

export type JsonSchemaInput = {
  readonly name: Scalars['String']['input'];
  readonly description?: InputMaybe<Scalars['String']['input']>;
  readonly schema: Scalars['JSON']['input'];
  readonly strict?: InputMaybe<Scalars['Boolean']['input']>;
};

export type ReasoningEffort =
  | 'NONE'
  | 'MINIMAL'
  | 'LOW'
  | 'MEDIUM'
  | 'HIGH'
  | 'XHIGH';

export type ReasoningInput = {
  readonly effort?: InputMaybe<ReasoningEffort>;
  /** Most tokens to think with, where the provider takes a number. */
  readonly maxTokens?: InputMaybe<Scalars['Int']['input']>;
};

export type CompleteInput = {
  /** May be left out by a caller who belongs to one microDAO. */
  readonly microdaoId?: InputMaybe<Scalars['ID']['input']>;
  /** The agent that is billed; an agent's own id when left out by an agent. */
  readonly agentId?: InputMaybe<Scalars['ID']['input']>;
  /** A model's id, alias, or `provider/model`. */
  readonly model: Scalars['String']['input'];
  readonly messages: ReadonlyArray<MessageInput>;
  readonly tools?: InputMaybe<ReadonlyArray<ToolInput>>;
  readonly toolChoice?: InputMaybe<Scalars['ToolChoice']['input']>;
  readonly parallelToolCalls?: InputMaybe<Scalars['Boolean']['input']>;
  readonly responseFormat?: InputMaybe<ResponseFormatInput>;
  readonly reasoning?: InputMaybe<ReasoningInput>;
  readonly stop?: InputMaybe<ReadonlyArray<Scalars['String']['input']>>;
  readonly temperature?: InputMaybe<Scalars['Float']['input']>;
  readonly topP?: InputMaybe<Scalars['Float']['input']>;
  readonly seed?: InputMaybe<Scalars['Int']['input']>;
  readonly maxTokens?: InputMaybe<Scalars['Int']['input']>;
  /** Parameters of the provider that this schema has no name for; passed on as they are. */
  readonly providerOptions?: InputMaybe<Scalars['JSON']['input']>;
  /** The same key and body from the same caller give the same answer for 24 hours, billed once. */
  readonly idempotencyKey?: InputMaybe<Scalars['String']['input']>;
};

export type Completion = {
  readonly id: Scalars['ID']['output'];
  readonly requestId: Scalars['String']['output'];
  /** The model that answered, by its provider's name. */
  readonly model: Scalars['String']['output'];
  readonly provider: Scalars['String']['output'];
  readonly message: Message;
  readonly finishReason: FinishReason;
  readonly usage: LlmTokenUsage;
  readonly createdAt: Scalars['DateTime']['output'];
};

export type Message = {
  readonly role: MessageRole;
  readonly content?: Maybe<Scalars['String']['output']>;
  /** What the model thought, where the provider tells. */
  readonly reasoning?: Maybe<Scalars['String']['output']>;
  /** The model's own words of refusal. */
  readonly refusal?: Maybe<Scalars['String']['output']>;
  readonly toolCalls?: Maybe<ReadonlyArray<ToolCall>>;
  /** Send it back with the message to the same provider; needed for reasoning models that call tools. */
  readonly providerState?: Maybe<Scalars['JSON']['output']>;
};

export type ToolCall = {
  readonly id: Scalars['String']['output'];
  readonly type: ToolType;
  readonly function: FunctionCall;
};

export type FunctionCall = {
  readonly name: Scalars['String']['output'];
  readonly arguments: Scalars['String']['output'];
};

export type FinishReason =
  | 'STOP'
  | 'LENGTH'
  | 'TOOL_CALLS'
  | 'CONTENT_FILTER';

export type LlmTokenUsage = {
  /** All input, cached tokens included. */
  readonly inputTokens: Scalars['Int']['output'];
  /** All output, reasoning included. */
  readonly outputTokens: Scalars['Int']['output'];
  readonly cachedInputTokens: Scalars['Int']['output'];
  readonly reasoningTokens: Scalars['Int']['output'];
  /** Null when the model has no price. */
  readonly costUsd?: Maybe<Scalars['Float']['output']>;
  /** True when the provider reported no usage and tokens were counted here. */
  readonly estimated: Scalars['Boolean']['output'];
};

export type CompletionEventType =
  | 'STARTED'
  | 'TEXT'
  | 'REASONING'
  | 'REFUSAL'
  | 'TOOL_CALL'
  | 'FINISHED'
  | 'FAILED';

export type CompletionEvent = {
  readonly type: CompletionEventType;
};

export type CompletionStarted = CompletionEvent & {
  readonly type: CompletionEventType;
  /** The completion's; never null. Nullable like the tool call's, so that one selection may ask for both. */
  readonly id?: Maybe<Scalars['ID']['output']>;
  readonly requestId: Scalars['String']['output'];
  readonly model: Scalars['String']['output'];
  readonly provider: Scalars['String']['output'];
  readonly createdAt: Scalars['DateTime']['output'];
};

export type CompletionText = CompletionEvent & {
  readonly type: CompletionEventType;
  readonly text: Scalars['String']['output'];
};

export type CompletionReasoning = CompletionEvent & {
  readonly type: CompletionEventType;
  readonly text: Scalars['String']['output'];
};

export type CompletionRefusal = CompletionEvent & {
  readonly type: CompletionEventType;
  readonly text: Scalars['String']['output'];
};

/** A piece of a tool call: `id` and `name` come with its first piece, `arguments` grow. */
export type CompletionToolCall = CompletionEvent & {
  readonly type: CompletionEventType;
  readonly index: Scalars['Int']['output'];
  readonly id?: Maybe<Scalars['ID']['output']>;
  readonly name?: Maybe<Scalars['String']['output']>;
  readonly arguments: Scalars['String']['output'];
};

export type CompletionFinished = CompletionEvent & {
  readonly type: CompletionEventType;
  readonly finishReason: FinishReason;
  /** Never null here. Nullable like that of CompletionFailed, so that one selection may ask for both. */
  readonly usage?: Maybe<LlmTokenUsage>;
  /** What the provider wants back with the assistant's message, as `Message.providerState`. */
  readonly providerState?: Maybe<Scalars['JSON']['output']>;
};

/** The answer is not complete. What was delivered until here is billed. */
export type CompletionFailed = CompletionEvent & {
  readonly type: CompletionEventType;
  readonly error: CompletionError;
  /** Null when even the failure could not be recorded. */
  readonly usage?: Maybe<LlmTokenUsage>;
};

export type CompletionError = {
  readonly code: Scalars['String']['output'];
  readonly message: Scalars['String']['output'];
  readonly retryable: Scalars['Boolean']['output'];
  readonly retryAfterMs?: Maybe<Scalars['Int']['output']>;
  readonly requestId: Scalars['String']['output'];
};

export type EmbedInput = {
  readonly microdaoId?: InputMaybe<Scalars['ID']['input']>;
  readonly agentId?: InputMaybe<Scalars['ID']['input']>;
  /** An embedding model's id, alias, or `provider/model`; the server's default when left out. */
  readonly model?: InputMaybe<Scalars['String']['input']>;
  /** 1 to 2048 texts. */
  readonly input: ReadonlyArray<Scalars['String']['input']>;
  /** Shorter vectors, where the model can. */
  readonly dimensions?: InputMaybe<Scalars['Int']['input']>;
  readonly idempotencyKey?: InputMaybe<Scalars['String']['input']>;
};

export type EmbedResult = {
  readonly id: Scalars['ID']['output'];
  readonly requestId: Scalars['String']['output'];
  readonly model: Scalars['String']['output'];
  readonly provider: Scalars['String']['output'];
  readonly dimensions: Scalars['Int']['output'];
  /** In the order of the texts. */
  readonly embeddings: ReadonlyArray<Scalars['Vector']['output']>;
  readonly usage: LlmTokenUsage;
};

export type ModelCapability =
  | 'CHAT'
  | 'EMBEDDING'
  | 'STREAMING'
  | 'TOOLS'
  | 'PARALLEL_TOOL_CALLS'
  | 'VISION'
  | 'JSON_OBJECT'
  | 'JSON_SCHEMA'
  | 'REASONING';

export type Model = {
  /** What `provider/model` names it by everywhere. */
  readonly id: Scalars['ID']['output'];
  readonly provider: Scalars['String']['output'];
  /** The provider's own name for it. */
  readonly name: Scalars['String']['output'];
  readonly aliases: ReadonlyArray<Scalars['String']['output']>;
  readonly contextWindow?: Maybe<Scalars['Int']['output']>;
  readonly maxOutputTokens?: Maybe<Scalars['Int']['output']>;
  /** Of an embedding model. */
  readonly dimensions?: Maybe<Scalars['Int']['output']>;
  readonly capabilities: ReadonlyArray<ModelCapability>;
  /** Null until someone sets one; costs are null as long. */
  readonly price?: Maybe<ModelPrice>;
  readonly available: Scalars['Boolean']['output'];
  /** Why it is not available, or who stands in for it. */
  readonly reason?: Maybe<Scalars['String']['output']>;
};

/** US dollars per million tokens. */
export type ModelPrice = {
  readonly inputUsd: Scalars['Float']['output'];
  readonly outputUsd: Scalars['Float']['output'];
  readonly cachedInputUsd: Scalars['Float']['output'];
  /** Names the price in ledger rows. */
  readonly version: Scalars['String']['output'];
};

export type ModelConnection = {
  readonly nodes: ReadonlyArray<Model>;
  readonly edges: ReadonlyArray<ModelEdge>;
  readonly pageInfo: PageInfo;
};

export type ModelEdge = {
  readonly node: Model;
  readonly cursor: Scalars['String']['output'];
};

export type SetModelPriceInput = {
  /** A model's id, alias, or `provider/model`, also of one the catalogue does not know. */
  readonly model: Scalars['String']['input'];
  /** US dollars per million tokens, as exact decimals: `2.50`. */
  readonly inputUsd: Scalars['String']['input'];
  readonly outputUsd: Scalars['String']['input'];
  /** The input price when left out. */
  readonly cachedInputUsd?: InputMaybe<Scalars['String']['input']>;
};

export type LlmRequestKind =
  | 'COMPLETION'
  | 'EMBEDDING';

export type LlmRequestStatus =
  | 'RUNNING'
  | 'SUCCEEDED'
  | 'FAILED'
  /** The client left; what was delivered is billed. */
  | 'CANCELLED'
  /** The process died; settled from the last checkpoint. */
  | 'INTERRUPTED';

export type LlmUsageFilter = {
  readonly agentId?: InputMaybe<Scalars['ID']['input']>;
  readonly provider?: InputMaybe<Scalars['String']['input']>;
  /** The provider's own name for the model. */
  readonly model?: InputMaybe<Scalars['String']['input']>;
  readonly kind?: InputMaybe<LlmRequestKind>;
  readonly status?: InputMaybe<LlmRequestStatus>;
};

export type LlmUsageGroupBy =
  | 'AGENT'
  | 'MICRODAO'
  | 'MODEL'
  | 'PROVIDER'
  | 'DAY'
  | 'HOUR';

export type LlmUsage = {
  readonly microdaoId: Scalars['ID']['output'];
  readonly agentId?: Maybe<Scalars['ID']['output']>;
  readonly from: Scalars['DateTime']['output'];
  readonly to: Scalars['DateTime']['output'];
  readonly period: Scalars['String']['output'];
  readonly totals: LlmUsageFigures;
  /** By `groupBy` of the query when left out; days and hours are UTC and in order, all else by cost, highest first. */
  readonly groups: ReadonlyArray<LlmUsageGroup>;
};


export type LlmUsageGroupsArgs = {
  by?: InputMaybe<LlmUsageGroupBy>;
};

export type LlmFigures = {
  readonly requests: Scalars['Int']['output'];
  readonly inputTokens: Scalars['Float']['output'];
  readonly outputTokens: Scalars['Float']['output'];
  readonly cachedInputTokens: Scalars['Float']['output'];
  readonly reasoningTokens: Scalars['Float']['output'];
  /** The sum of what has a price; `unpricedRequests` tells how many have none. */
  readonly costUsd: Scalars['Float']['output'];
  readonly unpricedRequests: Scalars['Int']['output'];
  readonly errors: Scalars['Int']['output'];
  /** errors / requests, 0 when there were none. */
  readonly errorRate: Scalars['Float']['output'];
  /** Within 2 %; null without requests. */
  readonly latencyMsP50?: Maybe<Scalars['Float']['output']>;
  readonly latencyMsP95?: Maybe<Scalars['Float']['output']>;
};

export type LlmUsageFigures = LlmFigures & {
  readonly requests: Scalars['Int']['output'];
  readonly inputTokens: Scalars['Float']['output'];
  readonly outputTokens: Scalars['Float']['output'];
  readonly cachedInputTokens: Scalars['Float']['output'];
  readonly reasoningTokens: Scalars['Float']['output'];
  readonly costUsd: Scalars['Float']['output'];
  readonly unpricedRequests: Scalars['Int']['output'];
  readonly errors: Scalars['Int']['output'];
  readonly errorRate: Scalars['Float']['output'];
  readonly latencyMsP50?: Maybe<Scalars['Float']['output']>;
  readonly latencyMsP95?: Maybe<Scalars['Float']['output']>;
};

export type LlmUsageGroup = LlmFigures & {
  readonly key: Scalars['String']['output'];
  readonly requests: Scalars['Int']['output'];
  readonly inputTokens: Scalars['Float']['output'];
  readonly outputTokens: Scalars['Float']['output'];
  readonly cachedInputTokens: Scalars['Float']['output'];
  readonly reasoningTokens: Scalars['Float']['output'];
  readonly costUsd: Scalars['Float']['output'];
  readonly unpricedRequests: Scalars['Int']['output'];
  readonly errors: Scalars['Int']['output'];
  readonly errorRate: Scalars['Float']['output'];
  readonly latencyMsP50?: Maybe<Scalars['Float']['output']>;
  readonly latencyMsP95?: Maybe<Scalars['Float']['output']>;
};

export type LlmRequest = {
  readonly id: Scalars['ID']['output'];
  readonly requestId: Scalars['String']['output'];
  readonly kind: LlmRequestKind;
  readonly microdao: MicroDao;
  readonly agent?: Maybe<Agent>;
  /** Who asked, and the part that acted for them. */
  readonly subject: Scalars['String']['output'];
  readonly actor?: Maybe<Scalars['String']['output']>;
  readonly requestedModel: Scalars['String']['output'];
  readonly provider: Scalars['String']['output'];
  readonly model: Scalars['String']['output'];
  readonly status: LlmRequestStatus;
  readonly errorCode?: Maybe<Scalars['String']['output']>;
  readonly usage: LlmTokenUsage;
  readonly priceVersion?: Maybe<Scalars['String']['output']>;
  readonly createdAt: Scalars['DateTime']['output'];
  readonly finishedAt?: Maybe<Scalars['DateTime']['output']>;
  readonly latencyMs?: Maybe<Scalars['Int']['output']>;
  readonly timeToFirstTokenMs?: Maybe<Scalars['Int']['output']>;
  readonly attempts: ReadonlyArray<LlmAttempt>;
};

/** One call of a provider. */
export type LlmAttempt = {
  readonly number: Scalars['Int']['output'];
  readonly provider: Scalars['String']['output'];
  readonly model: Scalars['String']['output'];
  readonly status: LlmRequestStatus;
  readonly errorCode?: Maybe<Scalars['String']['output']>;
  readonly usage: LlmTokenUsage;
  readonly priceVersion?: Maybe<Scalars['String']['output']>;
  readonly startedAt: Scalars['DateTime']['output'];
  readonly latencyMs?: Maybe<Scalars['Int']['output']>;
  readonly timeToFirstTokenMs?: Maybe<Scalars['Int']['output']>;
};

export type LlmRequestConnection = {
  readonly nodes: ReadonlyArray<LlmRequest>;
  readonly edges: ReadonlyArray<LlmRequestEdge>;
  readonly pageInfo: PageInfo;
};

export type LlmRequestEdge = {
  readonly node: LlmRequest;
  readonly cursor: Scalars['String']['output'];
};

export type PageInfo = {
  readonly hasNextPage: Scalars['Boolean']['output'];
  readonly hasPreviousPage: Scalars['Boolean']['output'];
  readonly startCursor?: Maybe<Scalars['String']['output']>;
  readonly endCursor?: Maybe<Scalars['String']['output']>;
};

export type Agent = {
  readonly microdaoId: Scalars['ID']['output'];
  readonly id: Scalars['ID']['output'];
  readonly llmUsage: LlmUsage;
};


export type AgentLlmUsageArgs = {
  period?: InputMaybe<Scalars['String']['input']>;
  groupBy?: InputMaybe<LlmUsageGroupBy>;
};

export type MicroDao = {
  readonly id: Scalars['ID']['output'];
  readonly llmUsage: LlmUsage;
};


export type MicroDaoLlmUsageArgs = {
  period?: InputMaybe<Scalars['String']['input']>;
  groupBy?: InputMaybe<LlmUsageGroupBy>;
};



export type ResolverTypeWrapper<T> = Promise<T> | T;

export type ReferenceResolver<TResult, TReference, TContext> = (
      reference: TReference,
      context: TContext,
      info: GraphQLResolveInfo
    ) => Promise<TResult> | TResult;

      type ScalarCheck<T, S> = S extends true ? T : NullableCheck<T, S>;
      type NullableCheck<T, S> = Maybe<T> extends T ? Maybe<ListCheck<NonNullable<T>, S>> : ListCheck<T, S>;
      type ListCheck<T, S> = T extends (infer U)[] ? NullableCheck<U, S>[] : GraphQLRecursivePick<T, S>;
      export type GraphQLRecursivePick<T, S> = { [K in keyof T & keyof S]: ScalarCheck<T[K], S[K]> };
    

export type ResolverWithResolve<TResult, TParent, TContext, TArgs> = {
  resolve: ResolverFn<TResult, TParent, TContext, TArgs>;
};
export type Resolver<TResult, TParent = Record<PropertyKey, never>, TContext = Record<PropertyKey, never>, TArgs = Record<PropertyKey, never>> = ResolverFn<TResult, TParent, TContext, TArgs> | ResolverWithResolve<TResult, TParent, TContext, TArgs>;

export type ResolverFn<TResult, TParent, TContext, TArgs> = (
  parent: TParent,
  args: TArgs,
  context: TContext,
  info: GraphQLResolveInfo
) => Promise<TResult> | TResult;

export type SubscriptionSubscribeFn<TResult, TParent, TContext, TArgs> = (
  parent: TParent,
  args: TArgs,
  context: TContext,
  info: GraphQLResolveInfo
) => AsyncIterable<TResult> | Promise<AsyncIterable<TResult>>;

export type SubscriptionResolveFn<TResult, TParent, TContext, TArgs> = (
  parent: TParent,
  args: TArgs,
  context: TContext,
  info: GraphQLResolveInfo
) => TResult | Promise<TResult>;

export interface SubscriptionSubscriberObject<TResult, TKey extends string, TParent, TContext, TArgs> {
  subscribe: SubscriptionSubscribeFn<{ [key in TKey]: TResult }, TParent, TContext, TArgs>;
  resolve?: SubscriptionResolveFn<TResult, { [key in TKey]: TResult }, TContext, TArgs>;
}

export interface SubscriptionResolverObject<TResult, TParent, TContext, TArgs> {
  subscribe: SubscriptionSubscribeFn<any, TParent, TContext, TArgs>;
  resolve: SubscriptionResolveFn<TResult, any, TContext, TArgs>;
}

export type SubscriptionObject<TResult, TKey extends string, TParent, TContext, TArgs> =
  | SubscriptionSubscriberObject<TResult, TKey, TParent, TContext, TArgs>
  | SubscriptionResolverObject<TResult, TParent, TContext, TArgs>;

export type SubscriptionResolver<TResult, TKey extends string, TParent = Record<PropertyKey, never>, TContext = Record<PropertyKey, never>, TArgs = Record<PropertyKey, never>> =
  | ((...args: any[]) => SubscriptionObject<TResult, TKey, TParent, TContext, TArgs>)
  | SubscriptionObject<TResult, TKey, TParent, TContext, TArgs>;

export type TypeResolveFn<TTypes, TParent = Record<PropertyKey, never>, TContext = Record<PropertyKey, never>> = (
  parent: TParent,
  context: TContext,
  info: GraphQLResolveInfo
) => Maybe<TTypes> | Promise<Maybe<TTypes>>;

export type IsTypeOfResolverFn<T = Record<PropertyKey, never>, TContext = Record<PropertyKey, never>> = (obj: T, context: TContext, info: GraphQLResolveInfo) => boolean | Promise<boolean>;

export type NextResolverFn<T> = () => Promise<T>;

export type DirectiveResolverFn<TResult = Record<PropertyKey, never>, TParent = Record<PropertyKey, never>, TContext = Record<PropertyKey, never>, TArgs = Record<PropertyKey, never>> = (
  next: NextResolverFn<TResult>,
  parent: TParent,
  args: TArgs,
  context: TContext,
  info: GraphQLResolveInfo
) => TResult | Promise<TResult>;

/** Mapping of federation types */
export type FederationTypes = {
  Agent: Agent;
  MicroDAO: MicroDao;
};

/** Mapping of federation reference types */
export type FederationReferenceTypes = {
  Agent:
    ( { __typename: 'Agent' }
    & GraphQLRecursivePick<FederationTypes['Agent'], {"microdaoId":true,"id":true}> );
  MicroDAO:
    ( { __typename: 'MicroDAO' }
    & GraphQLRecursivePick<FederationTypes['MicroDAO'], {"id":true}> );
};


/** Mapping of interface types */
export type ResolversInterfaceTypes<_RefType extends Record<string, unknown>> = {
  CompletionEvent:
    | ( CompletionStarted )
    | ( CompletionText )
    | ( CompletionReasoning )
    | ( CompletionRefusal )
    | ( CompletionToolCall )
    | ( CompletionFinished )
    | ( CompletionFailed )
  ;
  LlmFigures:
    | ( LlmUsageFigures )
    | ( LlmUsageGroup )
  ;
};

/** Mapping between all available schema types and the resolvers types */
export type ResolversTypes = {
  AccessRole: AccessRole;
  JSON: ResolverTypeWrapper<Scalars['JSON']['output']>;
  DateTime: ResolverTypeWrapper<Scalars['DateTime']['output']>;
  Vector: ResolverTypeWrapper<Scalars['Vector']['output']>;
  MessageContent: ResolverTypeWrapper<Scalars['MessageContent']['output']>;
  ToolChoice: ResolverTypeWrapper<Scalars['ToolChoice']['output']>;
  Query: ResolverTypeWrapper<Record<PropertyKey, never>>;
  Int: ResolverTypeWrapper<Scalars['Int']['output']>;
  ID: ResolverTypeWrapper<Scalars['ID']['output']>;
  Mutation: ResolverTypeWrapper<Record<PropertyKey, never>>;
  Subscription: ResolverTypeWrapper<Record<PropertyKey, never>>;
  MessageRole: MessageRole;
  MessageInput: MessageInput;
  ToolType: ToolType;
  ToolCallInput: ToolCallInput;
  FunctionCallInput: FunctionCallInput;
  ToolInput: ToolInput;
  FunctionInput: FunctionInput;
  Boolean: ResolverTypeWrapper<Scalars['Boolean']['output']>;
  ResponseFormatType: ResponseFormatType;
  ResponseFormatInput: ResponseFormatInput;
  JsonSchemaInput: JsonSchemaInput;
  ReasoningEffort: ReasoningEffort;
  ReasoningInput: ReasoningInput;
  CompleteInput: CompleteInput;
  Float: ResolverTypeWrapper<Scalars['Float']['output']>;
  Completion: ResolverTypeWrapper<Completion>;
  Message: ResolverTypeWrapper<Message>;
  ToolCall: ResolverTypeWrapper<ToolCall>;
  FunctionCall: ResolverTypeWrapper<FunctionCall>;
  FinishReason: FinishReason;
  LlmTokenUsage: ResolverTypeWrapper<LlmTokenUsage>;
  CompletionEventType: CompletionEventType;
  CompletionEvent: ResolverTypeWrapper<ResolversInterfaceTypes<ResolversTypes>['CompletionEvent']>;
  CompletionStarted: ResolverTypeWrapper<CompletionStarted>;
  CompletionText: ResolverTypeWrapper<CompletionText>;
  CompletionReasoning: ResolverTypeWrapper<CompletionReasoning>;
  CompletionRefusal: ResolverTypeWrapper<CompletionRefusal>;
  CompletionToolCall: ResolverTypeWrapper<CompletionToolCall>;
  CompletionFinished: ResolverTypeWrapper<CompletionFinished>;
  CompletionFailed: ResolverTypeWrapper<CompletionFailed>;
  CompletionError: ResolverTypeWrapper<CompletionError>;
  EmbedInput: EmbedInput;
  EmbedResult: ResolverTypeWrapper<EmbedResult>;
  ModelCapability: ModelCapability;
  Model: ResolverTypeWrapper<Model>;
  ModelPrice: ResolverTypeWrapper<ModelPrice>;
  ModelConnection: ResolverTypeWrapper<ModelConnection>;
  ModelEdge: ResolverTypeWrapper<ModelEdge>;
  SetModelPriceInput: SetModelPriceInput;
  LlmRequestKind: LlmRequestKind;
  LlmRequestStatus: LlmRequestStatus;
  LlmUsageFilter: LlmUsageFilter;
  LlmUsageGroupBy: LlmUsageGroupBy;
  LlmUsage: ResolverTypeWrapper<Omit<LlmUsage, 'groups' | 'totals'> & { readonly totals: ResolversParentTypes['LlmUsageFigures'] }>;
  LlmFigures: ResolverTypeWrapper<ResolversInterfaceTypes<ResolversTypes>['LlmFigures']>;
  LlmUsageFigures: ResolverTypeWrapper<LlmUsageFigures>;
  LlmUsageGroup: ResolverTypeWrapper<LlmUsageGroup>;
  LlmRequest: ResolverTypeWrapper<Omit<LlmRequest, 'attempts' | 'microdao' | 'agent' | 'usage'> & { readonly microdao: ResolversParentTypes['MicroDAO']; readonly agent?: Maybe<ResolversParentTypes['Agent']>; readonly usage: ResolversParentTypes['LlmTokenUsage'] }>;
  LlmAttempt: ResolverTypeWrapper<LlmAttempt>;
  LlmRequestConnection: ResolverTypeWrapper<Omit<LlmRequestConnection, 'nodes' | 'edges'> & { nodes: ReadonlyArray<ResolversTypes['LlmRequest']>, edges: ReadonlyArray<ResolversTypes['LlmRequestEdge']> }>;
  LlmRequestEdge: ResolverTypeWrapper<Omit<LlmRequestEdge, 'node'> & { node: ResolversTypes['LlmRequest'] }>;
  PageInfo: ResolverTypeWrapper<PageInfo>;
  Agent: ResolverTypeWrapper<Omit<Agent, 'llmUsage'>>;
  MicroDAO: ResolverTypeWrapper<Omit<MicroDao, 'llmUsage'>>;
  String: ResolverTypeWrapper<Scalars['String']['output']>;
};

/** Mapping between all available schema types and the resolvers parents */
export type ResolversParentTypes = {
  JSON: Scalars['JSON']['output'];
  DateTime: Scalars['DateTime']['output'];
  Vector: Scalars['Vector']['output'];
  MessageContent: Scalars['MessageContent']['output'];
  ToolChoice: Scalars['ToolChoice']['output'];
  Query: Record<PropertyKey, never>;
  Int: Scalars['Int']['output'];
  ID: Scalars['ID']['output'];
  Mutation: Record<PropertyKey, never>;
  Subscription: Record<PropertyKey, never>;
  MessageInput: MessageInput;
  ToolCallInput: ToolCallInput;
  FunctionCallInput: FunctionCallInput;
  ToolInput: ToolInput;
  FunctionInput: FunctionInput;
  Boolean: Scalars['Boolean']['output'];
  ResponseFormatInput: ResponseFormatInput;
  JsonSchemaInput: JsonSchemaInput;
  ReasoningInput: ReasoningInput;
  CompleteInput: CompleteInput;
  Float: Scalars['Float']['output'];
  Completion: Completion;
  Message: Message;
  ToolCall: ToolCall;
  FunctionCall: FunctionCall;
  LlmTokenUsage: LlmTokenUsage;
  CompletionEvent: ResolversInterfaceTypes<ResolversParentTypes>['CompletionEvent'];
  CompletionStarted: CompletionStarted;
  CompletionText: CompletionText;
  CompletionReasoning: CompletionReasoning;
  CompletionRefusal: CompletionRefusal;
  CompletionToolCall: CompletionToolCall;
  CompletionFinished: CompletionFinished;
  CompletionFailed: CompletionFailed;
  CompletionError: CompletionError;
  EmbedInput: EmbedInput;
  EmbedResult: EmbedResult;
  Model: Model;
  ModelPrice: ModelPrice;
  ModelConnection: ModelConnection;
  ModelEdge: ModelEdge;
  SetModelPriceInput: SetModelPriceInput;
  LlmUsageFilter: LlmUsageFilter;
  LlmUsage: Omit<LlmUsage, 'groups' | 'totals'> & { readonly totals: ResolversParentTypes['LlmUsageFigures'] };
  LlmFigures: ResolversInterfaceTypes<ResolversParentTypes>['LlmFigures'];
  LlmUsageFigures: LlmUsageFigures;
  LlmUsageGroup: LlmUsageGroup;
  LlmRequest: Omit<LlmRequest, 'attempts' | 'microdao' | 'agent' | 'usage'> & { readonly microdao: ResolversParentTypes['MicroDAO']; readonly agent?: Maybe<ResolversParentTypes['Agent']>; readonly usage: ResolversParentTypes['LlmTokenUsage'] };
  LlmAttempt: LlmAttempt;
  LlmRequestConnection: Omit<LlmRequestConnection, 'nodes' | 'edges'> & { nodes: ReadonlyArray<ResolversParentTypes['LlmRequest']>, edges: ReadonlyArray<ResolversParentTypes['LlmRequestEdge']> };
  LlmRequestEdge: Omit<LlmRequestEdge, 'node'> & { node: ResolversParentTypes['LlmRequest'] };
  PageInfo: PageInfo;
  Agent: Omit<Agent, 'llmUsage'>;
  MicroDAO: Omit<MicroDao, 'llmUsage'>;
  String: Scalars['String']['output'];
};

export type AccessDirectiveArgs = {
  roles: ReadonlyArray<AccessRole>;
  microdao?: Maybe<Scalars['String']['input']>;
  agent?: Maybe<Scalars['String']['input']>;
};

export type AccessDirectiveResolver<Result, Parent, ContextType = ResolverContext, Args = AccessDirectiveArgs> = DirectiveResolverFn<Result, Parent, ContextType, Args>;

export interface JsonScalarConfig extends GraphQLScalarTypeConfig<ResolversTypes['JSON'], any> {
  name: 'JSON';
}

export interface DateTimeScalarConfig extends GraphQLScalarTypeConfig<ResolversTypes['DateTime'], any> {
  name: 'DateTime';
}

export interface VectorScalarConfig extends GraphQLScalarTypeConfig<ResolversTypes['Vector'], any> {
  name: 'Vector';
}

export interface MessageContentScalarConfig extends GraphQLScalarTypeConfig<ResolversTypes['MessageContent'], any> {
  name: 'MessageContent';
}

export interface ToolChoiceScalarConfig extends GraphQLScalarTypeConfig<ResolversTypes['ToolChoice'], any> {
  name: 'ToolChoice';
}

export type QueryResolvers<ContextType = ResolverContext, ParentType extends ResolversParentTypes['Query'] = ResolversParentTypes['Query']> = {
  models?: Resolver<ResolversTypes['ModelConnection'], ParentType, ContextType, RequireFields<QueryModelsArgs, 'first'>>;
  model?: Resolver<Maybe<ResolversTypes['Model']>, ParentType, ContextType, RequireFields<QueryModelArgs, 'id'>>;
  llmUsage?: Resolver<ResolversTypes['LlmUsage'], ParentType, ContextType, RequireFields<QueryLlmUsageArgs, 'period'>>;
  llmRequests?: Resolver<ResolversTypes['LlmRequestConnection'], ParentType, ContextType, RequireFields<QueryLlmRequestsArgs, 'period' | 'first'>>;
};

export type MutationResolvers<ContextType = ResolverContext, ParentType extends ResolversParentTypes['Mutation'] = ResolversParentTypes['Mutation']> = {
  complete?: Resolver<ResolversTypes['Completion'], ParentType, ContextType, RequireFields<MutationCompleteArgs, 'input'>>;
  embed?: Resolver<ResolversTypes['EmbedResult'], ParentType, ContextType, RequireFields<MutationEmbedArgs, 'input'>>;
  setModelPrice?: Resolver<ResolversTypes['Model'], ParentType, ContextType, RequireFields<MutationSetModelPriceArgs, 'input'>>;
};

export type SubscriptionResolvers<ContextType = ResolverContext, ParentType extends ResolversParentTypes['Subscription'] = ResolversParentTypes['Subscription']> = {
  completion?: SubscriptionResolver<ResolversTypes['CompletionEvent'], "completion", ParentType, ContextType, RequireFields<SubscriptionCompletionArgs, 'input'>>;
};

export type CompletionResolvers<ContextType = ResolverContext, ParentType extends ResolversParentTypes['Completion'] = ResolversParentTypes['Completion']> = {
  id?: Resolver<ResolversTypes['ID'], ParentType, ContextType>;
  requestId?: Resolver<ResolversTypes['String'], ParentType, ContextType>;
  model?: Resolver<ResolversTypes['String'], ParentType, ContextType>;
  provider?: Resolver<ResolversTypes['String'], ParentType, ContextType>;
  message?: Resolver<ResolversTypes['Message'], ParentType, ContextType>;
  finishReason?: Resolver<ResolversTypes['FinishReason'], ParentType, ContextType>;
  usage?: Resolver<ResolversTypes['LlmTokenUsage'], ParentType, ContextType>;
  createdAt?: Resolver<ResolversTypes['DateTime'], ParentType, ContextType>;
};

export type MessageResolvers<ContextType = ResolverContext, ParentType extends ResolversParentTypes['Message'] = ResolversParentTypes['Message']> = {
  role?: Resolver<ResolversTypes['MessageRole'], ParentType, ContextType>;
  content?: Resolver<Maybe<ResolversTypes['String']>, ParentType, ContextType>;
  reasoning?: Resolver<Maybe<ResolversTypes['String']>, ParentType, ContextType>;
  refusal?: Resolver<Maybe<ResolversTypes['String']>, ParentType, ContextType>;
  toolCalls?: Resolver<Maybe<ReadonlyArray<ResolversTypes['ToolCall']>>, ParentType, ContextType>;
  providerState?: Resolver<Maybe<ResolversTypes['JSON']>, ParentType, ContextType>;
};

export type ToolCallResolvers<ContextType = ResolverContext, ParentType extends ResolversParentTypes['ToolCall'] = ResolversParentTypes['ToolCall']> = {
  id?: Resolver<ResolversTypes['String'], ParentType, ContextType>;
  type?: Resolver<ResolversTypes['ToolType'], ParentType, ContextType>;
  function?: Resolver<ResolversTypes['FunctionCall'], ParentType, ContextType>;
};

export type FunctionCallResolvers<ContextType = ResolverContext, ParentType extends ResolversParentTypes['FunctionCall'] = ResolversParentTypes['FunctionCall']> = {
  name?: Resolver<ResolversTypes['String'], ParentType, ContextType>;
  arguments?: Resolver<ResolversTypes['String'], ParentType, ContextType>;
};

export type LlmTokenUsageResolvers<ContextType = ResolverContext, ParentType extends ResolversParentTypes['LlmTokenUsage'] = ResolversParentTypes['LlmTokenUsage']> = {
  inputTokens?: Resolver<ResolversTypes['Int'], ParentType, ContextType>;
  outputTokens?: Resolver<ResolversTypes['Int'], ParentType, ContextType>;
  cachedInputTokens?: Resolver<ResolversTypes['Int'], ParentType, ContextType>;
  reasoningTokens?: Resolver<ResolversTypes['Int'], ParentType, ContextType>;
  costUsd?: Resolver<Maybe<ResolversTypes['Float']>, ParentType, ContextType>;
  estimated?: Resolver<ResolversTypes['Boolean'], ParentType, ContextType>;
};

export type CompletionEventResolvers<ContextType = ResolverContext, ParentType extends ResolversParentTypes['CompletionEvent'] = ResolversParentTypes['CompletionEvent']> = {
  __resolveType: TypeResolveFn<'CompletionStarted' | 'CompletionText' | 'CompletionReasoning' | 'CompletionRefusal' | 'CompletionToolCall' | 'CompletionFinished' | 'CompletionFailed', ParentType, ContextType>;
};

export type CompletionStartedResolvers<ContextType = ResolverContext, ParentType extends ResolversParentTypes['CompletionStarted'] = ResolversParentTypes['CompletionStarted']> = {
  type?: Resolver<ResolversTypes['CompletionEventType'], ParentType, ContextType>;
  id?: Resolver<Maybe<ResolversTypes['ID']>, ParentType, ContextType>;
  requestId?: Resolver<ResolversTypes['String'], ParentType, ContextType>;
  model?: Resolver<ResolversTypes['String'], ParentType, ContextType>;
  provider?: Resolver<ResolversTypes['String'], ParentType, ContextType>;
  createdAt?: Resolver<ResolversTypes['DateTime'], ParentType, ContextType>;
  __isTypeOf?: IsTypeOfResolverFn<ParentType, ContextType>;
};

export type CompletionTextResolvers<ContextType = ResolverContext, ParentType extends ResolversParentTypes['CompletionText'] = ResolversParentTypes['CompletionText']> = {
  type?: Resolver<ResolversTypes['CompletionEventType'], ParentType, ContextType>;
  text?: Resolver<ResolversTypes['String'], ParentType, ContextType>;
  __isTypeOf?: IsTypeOfResolverFn<ParentType, ContextType>;
};

export type CompletionReasoningResolvers<ContextType = ResolverContext, ParentType extends ResolversParentTypes['CompletionReasoning'] = ResolversParentTypes['CompletionReasoning']> = {
  type?: Resolver<ResolversTypes['CompletionEventType'], ParentType, ContextType>;
  text?: Resolver<ResolversTypes['String'], ParentType, ContextType>;
  __isTypeOf?: IsTypeOfResolverFn<ParentType, ContextType>;
};

export type CompletionRefusalResolvers<ContextType = ResolverContext, ParentType extends ResolversParentTypes['CompletionRefusal'] = ResolversParentTypes['CompletionRefusal']> = {
  type?: Resolver<ResolversTypes['CompletionEventType'], ParentType, ContextType>;
  text?: Resolver<ResolversTypes['String'], ParentType, ContextType>;
  __isTypeOf?: IsTypeOfResolverFn<ParentType, ContextType>;
};

export type CompletionToolCallResolvers<ContextType = ResolverContext, ParentType extends ResolversParentTypes['CompletionToolCall'] = ResolversParentTypes['CompletionToolCall']> = {
  type?: Resolver<ResolversTypes['CompletionEventType'], ParentType, ContextType>;
  index?: Resolver<ResolversTypes['Int'], ParentType, ContextType>;
  id?: Resolver<Maybe<ResolversTypes['ID']>, ParentType, ContextType>;
  name?: Resolver<Maybe<ResolversTypes['String']>, ParentType, ContextType>;
  arguments?: Resolver<ResolversTypes['String'], ParentType, ContextType>;
  __isTypeOf?: IsTypeOfResolverFn<ParentType, ContextType>;
};

export type CompletionFinishedResolvers<ContextType = ResolverContext, ParentType extends ResolversParentTypes['CompletionFinished'] = ResolversParentTypes['CompletionFinished']> = {
  type?: Resolver<ResolversTypes['CompletionEventType'], ParentType, ContextType>;
  finishReason?: Resolver<ResolversTypes['FinishReason'], ParentType, ContextType>;
  usage?: Resolver<Maybe<ResolversTypes['LlmTokenUsage']>, ParentType, ContextType>;
  providerState?: Resolver<Maybe<ResolversTypes['JSON']>, ParentType, ContextType>;
  __isTypeOf?: IsTypeOfResolverFn<ParentType, ContextType>;
};

export type CompletionFailedResolvers<ContextType = ResolverContext, ParentType extends ResolversParentTypes['CompletionFailed'] = ResolversParentTypes['CompletionFailed']> = {
  type?: Resolver<ResolversTypes['CompletionEventType'], ParentType, ContextType>;
  error?: Resolver<ResolversTypes['CompletionError'], ParentType, ContextType>;
  usage?: Resolver<Maybe<ResolversTypes['LlmTokenUsage']>, ParentType, ContextType>;
  __isTypeOf?: IsTypeOfResolverFn<ParentType, ContextType>;
};

export type CompletionErrorResolvers<ContextType = ResolverContext, ParentType extends ResolversParentTypes['CompletionError'] = ResolversParentTypes['CompletionError']> = {
  code?: Resolver<ResolversTypes['String'], ParentType, ContextType>;
  message?: Resolver<ResolversTypes['String'], ParentType, ContextType>;
  retryable?: Resolver<ResolversTypes['Boolean'], ParentType, ContextType>;
  retryAfterMs?: Resolver<Maybe<ResolversTypes['Int']>, ParentType, ContextType>;
  requestId?: Resolver<ResolversTypes['String'], ParentType, ContextType>;
};

export type EmbedResultResolvers<ContextType = ResolverContext, ParentType extends ResolversParentTypes['EmbedResult'] = ResolversParentTypes['EmbedResult']> = {
  id?: Resolver<ResolversTypes['ID'], ParentType, ContextType>;
  requestId?: Resolver<ResolversTypes['String'], ParentType, ContextType>;
  model?: Resolver<ResolversTypes['String'], ParentType, ContextType>;
  provider?: Resolver<ResolversTypes['String'], ParentType, ContextType>;
  dimensions?: Resolver<ResolversTypes['Int'], ParentType, ContextType>;
  embeddings?: Resolver<ReadonlyArray<ResolversTypes['Vector']>, ParentType, ContextType>;
  usage?: Resolver<ResolversTypes['LlmTokenUsage'], ParentType, ContextType>;
};

export type ModelResolvers<ContextType = ResolverContext, ParentType extends ResolversParentTypes['Model'] = ResolversParentTypes['Model']> = {
  id?: Resolver<ResolversTypes['ID'], ParentType, ContextType>;
  provider?: Resolver<ResolversTypes['String'], ParentType, ContextType>;
  name?: Resolver<ResolversTypes['String'], ParentType, ContextType>;
  aliases?: Resolver<ReadonlyArray<ResolversTypes['String']>, ParentType, ContextType>;
  contextWindow?: Resolver<Maybe<ResolversTypes['Int']>, ParentType, ContextType>;
  maxOutputTokens?: Resolver<Maybe<ResolversTypes['Int']>, ParentType, ContextType>;
  dimensions?: Resolver<Maybe<ResolversTypes['Int']>, ParentType, ContextType>;
  capabilities?: Resolver<ReadonlyArray<ResolversTypes['ModelCapability']>, ParentType, ContextType>;
  price?: Resolver<Maybe<ResolversTypes['ModelPrice']>, ParentType, ContextType>;
  available?: Resolver<ResolversTypes['Boolean'], ParentType, ContextType>;
  reason?: Resolver<Maybe<ResolversTypes['String']>, ParentType, ContextType>;
};

export type ModelPriceResolvers<ContextType = ResolverContext, ParentType extends ResolversParentTypes['ModelPrice'] = ResolversParentTypes['ModelPrice']> = {
  inputUsd?: Resolver<ResolversTypes['Float'], ParentType, ContextType>;
  outputUsd?: Resolver<ResolversTypes['Float'], ParentType, ContextType>;
  cachedInputUsd?: Resolver<ResolversTypes['Float'], ParentType, ContextType>;
  version?: Resolver<ResolversTypes['String'], ParentType, ContextType>;
};

export type ModelConnectionResolvers<ContextType = ResolverContext, ParentType extends ResolversParentTypes['ModelConnection'] = ResolversParentTypes['ModelConnection']> = {
  nodes?: Resolver<ReadonlyArray<ResolversTypes['Model']>, ParentType, ContextType>;
  edges?: Resolver<ReadonlyArray<ResolversTypes['ModelEdge']>, ParentType, ContextType>;
  pageInfo?: Resolver<ResolversTypes['PageInfo'], ParentType, ContextType>;
};

export type ModelEdgeResolvers<ContextType = ResolverContext, ParentType extends ResolversParentTypes['ModelEdge'] = ResolversParentTypes['ModelEdge']> = {
  node?: Resolver<ResolversTypes['Model'], ParentType, ContextType>;
  cursor?: Resolver<ResolversTypes['String'], ParentType, ContextType>;
};

export type LlmUsageResolvers<ContextType = ResolverContext, ParentType extends ResolversParentTypes['LlmUsage'] = ResolversParentTypes['LlmUsage']> = {
  microdaoId?: Resolver<ResolversTypes['ID'], ParentType, ContextType>;
  agentId?: Resolver<Maybe<ResolversTypes['ID']>, ParentType, ContextType>;
  from?: Resolver<ResolversTypes['DateTime'], ParentType, ContextType>;
  to?: Resolver<ResolversTypes['DateTime'], ParentType, ContextType>;
  period?: Resolver<ResolversTypes['String'], ParentType, ContextType>;
  totals?: Resolver<ResolversTypes['LlmUsageFigures'], ParentType, ContextType>;
  groups?: Resolver<ReadonlyArray<ResolversTypes['LlmUsageGroup']>, ParentType, ContextType, Partial<LlmUsageGroupsArgs>>;
};

export type LlmFiguresResolvers<ContextType = ResolverContext, ParentType extends ResolversParentTypes['LlmFigures'] = ResolversParentTypes['LlmFigures']> = {
  __resolveType: TypeResolveFn<'LlmUsageFigures' | 'LlmUsageGroup', ParentType, ContextType>;
};

export type LlmUsageFiguresResolvers<ContextType = ResolverContext, ParentType extends ResolversParentTypes['LlmUsageFigures'] = ResolversParentTypes['LlmUsageFigures']> = {
  requests?: Resolver<ResolversTypes['Int'], ParentType, ContextType>;
  inputTokens?: Resolver<ResolversTypes['Float'], ParentType, ContextType>;
  outputTokens?: Resolver<ResolversTypes['Float'], ParentType, ContextType>;
  cachedInputTokens?: Resolver<ResolversTypes['Float'], ParentType, ContextType>;
  reasoningTokens?: Resolver<ResolversTypes['Float'], ParentType, ContextType>;
  costUsd?: Resolver<ResolversTypes['Float'], ParentType, ContextType>;
  unpricedRequests?: Resolver<ResolversTypes['Int'], ParentType, ContextType>;
  errors?: Resolver<ResolversTypes['Int'], ParentType, ContextType>;
  errorRate?: Resolver<ResolversTypes['Float'], ParentType, ContextType>;
  latencyMsP50?: Resolver<Maybe<ResolversTypes['Float']>, ParentType, ContextType>;
  latencyMsP95?: Resolver<Maybe<ResolversTypes['Float']>, ParentType, ContextType>;
  __isTypeOf?: IsTypeOfResolverFn<ParentType, ContextType>;
};

export type LlmUsageGroupResolvers<ContextType = ResolverContext, ParentType extends ResolversParentTypes['LlmUsageGroup'] = ResolversParentTypes['LlmUsageGroup']> = {
  key?: Resolver<ResolversTypes['String'], ParentType, ContextType>;
  requests?: Resolver<ResolversTypes['Int'], ParentType, ContextType>;
  inputTokens?: Resolver<ResolversTypes['Float'], ParentType, ContextType>;
  outputTokens?: Resolver<ResolversTypes['Float'], ParentType, ContextType>;
  cachedInputTokens?: Resolver<ResolversTypes['Float'], ParentType, ContextType>;
  reasoningTokens?: Resolver<ResolversTypes['Float'], ParentType, ContextType>;
  costUsd?: Resolver<ResolversTypes['Float'], ParentType, ContextType>;
  unpricedRequests?: Resolver<ResolversTypes['Int'], ParentType, ContextType>;
  errors?: Resolver<ResolversTypes['Int'], ParentType, ContextType>;
  errorRate?: Resolver<ResolversTypes['Float'], ParentType, ContextType>;
  latencyMsP50?: Resolver<Maybe<ResolversTypes['Float']>, ParentType, ContextType>;
  latencyMsP95?: Resolver<Maybe<ResolversTypes['Float']>, ParentType, ContextType>;
  __isTypeOf?: IsTypeOfResolverFn<ParentType, ContextType>;
};

export type LlmRequestResolvers<ContextType = ResolverContext, ParentType extends ResolversParentTypes['LlmRequest'] = ResolversParentTypes['LlmRequest']> = {
  id?: Resolver<ResolversTypes['ID'], ParentType, ContextType>;
  requestId?: Resolver<ResolversTypes['String'], ParentType, ContextType>;
  kind?: Resolver<ResolversTypes['LlmRequestKind'], ParentType, ContextType>;
  microdao?: Resolver<ResolversTypes['MicroDAO'], ParentType, ContextType>;
  agent?: Resolver<Maybe<ResolversTypes['Agent']>, ParentType, ContextType>;
  subject?: Resolver<ResolversTypes['String'], ParentType, ContextType>;
  actor?: Resolver<Maybe<ResolversTypes['String']>, ParentType, ContextType>;
  requestedModel?: Resolver<ResolversTypes['String'], ParentType, ContextType>;
  provider?: Resolver<ResolversTypes['String'], ParentType, ContextType>;
  model?: Resolver<ResolversTypes['String'], ParentType, ContextType>;
  status?: Resolver<ResolversTypes['LlmRequestStatus'], ParentType, ContextType>;
  errorCode?: Resolver<Maybe<ResolversTypes['String']>, ParentType, ContextType>;
  usage?: Resolver<ResolversTypes['LlmTokenUsage'], ParentType, ContextType>;
  priceVersion?: Resolver<Maybe<ResolversTypes['String']>, ParentType, ContextType>;
  createdAt?: Resolver<ResolversTypes['DateTime'], ParentType, ContextType>;
  finishedAt?: Resolver<Maybe<ResolversTypes['DateTime']>, ParentType, ContextType>;
  latencyMs?: Resolver<Maybe<ResolversTypes['Int']>, ParentType, ContextType>;
  timeToFirstTokenMs?: Resolver<Maybe<ResolversTypes['Int']>, ParentType, ContextType>;
  attempts?: Resolver<ReadonlyArray<ResolversTypes['LlmAttempt']>, ParentType, ContextType>;
};

export type LlmAttemptResolvers<ContextType = ResolverContext, ParentType extends ResolversParentTypes['LlmAttempt'] = ResolversParentTypes['LlmAttempt']> = {
  number?: Resolver<ResolversTypes['Int'], ParentType, ContextType>;
  provider?: Resolver<ResolversTypes['String'], ParentType, ContextType>;
  model?: Resolver<ResolversTypes['String'], ParentType, ContextType>;
  status?: Resolver<ResolversTypes['LlmRequestStatus'], ParentType, ContextType>;
  errorCode?: Resolver<Maybe<ResolversTypes['String']>, ParentType, ContextType>;
  usage?: Resolver<ResolversTypes['LlmTokenUsage'], ParentType, ContextType>;
  priceVersion?: Resolver<Maybe<ResolversTypes['String']>, ParentType, ContextType>;
  startedAt?: Resolver<ResolversTypes['DateTime'], ParentType, ContextType>;
  latencyMs?: Resolver<Maybe<ResolversTypes['Int']>, ParentType, ContextType>;
  timeToFirstTokenMs?: Resolver<Maybe<ResolversTypes['Int']>, ParentType, ContextType>;
};

export type LlmRequestConnectionResolvers<ContextType = ResolverContext, ParentType extends ResolversParentTypes['LlmRequestConnection'] = ResolversParentTypes['LlmRequestConnection']> = {
  nodes?: Resolver<ReadonlyArray<ResolversTypes['LlmRequest']>, ParentType, ContextType>;
  edges?: Resolver<ReadonlyArray<ResolversTypes['LlmRequestEdge']>, ParentType, ContextType>;
  pageInfo?: Resolver<ResolversTypes['PageInfo'], ParentType, ContextType>;
};

export type LlmRequestEdgeResolvers<ContextType = ResolverContext, ParentType extends ResolversParentTypes['LlmRequestEdge'] = ResolversParentTypes['LlmRequestEdge']> = {
  node?: Resolver<ResolversTypes['LlmRequest'], ParentType, ContextType>;
  cursor?: Resolver<ResolversTypes['String'], ParentType, ContextType>;
};

export type PageInfoResolvers<ContextType = ResolverContext, ParentType extends ResolversParentTypes['PageInfo'] = ResolversParentTypes['PageInfo']> = {
  hasNextPage?: Resolver<ResolversTypes['Boolean'], ParentType, ContextType>;
  hasPreviousPage?: Resolver<ResolversTypes['Boolean'], ParentType, ContextType>;
  startCursor?: Resolver<Maybe<ResolversTypes['String']>, ParentType, ContextType>;
  endCursor?: Resolver<Maybe<ResolversTypes['String']>, ParentType, ContextType>;
};

export type AgentResolvers<ContextType = ResolverContext, ParentType extends ResolversParentTypes['Agent'] = ResolversParentTypes['Agent'], FederationReferenceType extends FederationReferenceTypes['Agent'] = FederationReferenceTypes['Agent']> = {
  __resolveReference?: ReferenceResolver<Maybe<ResolversTypes['Agent']> | FederationReferenceType, FederationReferenceType, ContextType>;
  microdaoId?: Resolver<ResolversTypes['ID'], ParentType, ContextType>;
  id?: Resolver<ResolversTypes['ID'], ParentType, ContextType>;
  llmUsage?: Resolver<ResolversTypes['LlmUsage'], ParentType, ContextType, RequireFields<AgentLlmUsageArgs, 'period'>>;
};

export type MicroDaoResolvers<ContextType = ResolverContext, ParentType extends ResolversParentTypes['MicroDAO'] = ResolversParentTypes['MicroDAO'], FederationReferenceType extends FederationReferenceTypes['MicroDAO'] = FederationReferenceTypes['MicroDAO']> = {
  __resolveReference?: ReferenceResolver<Maybe<ResolversTypes['MicroDAO']> | FederationReferenceType, FederationReferenceType, ContextType>;
  id?: Resolver<ResolversTypes['ID'], ParentType, ContextType>;
  llmUsage?: Resolver<ResolversTypes['LlmUsage'], ParentType, ContextType, RequireFields<MicroDaoLlmUsageArgs, 'period'>>;
};

export type Resolvers<ContextType = ResolverContext> = {
  JSON?: GraphQLScalarType;
  DateTime?: GraphQLScalarType;
  Vector?: GraphQLScalarType;
  MessageContent?: GraphQLScalarType;
  ToolChoice?: GraphQLScalarType;
  Query?: QueryResolvers<ContextType>;
  Mutation?: MutationResolvers<ContextType>;
  Subscription?: SubscriptionResolvers<ContextType>;
  Completion?: CompletionResolvers<ContextType>;
  Message?: MessageResolvers<ContextType>;
  ToolCall?: ToolCallResolvers<ContextType>;
  FunctionCall?: FunctionCallResolvers<ContextType>;
  LlmTokenUsage?: LlmTokenUsageResolvers<ContextType>;
  CompletionEvent?: CompletionEventResolvers<ContextType>;
  CompletionStarted?: CompletionStartedResolvers<ContextType>;
  CompletionText?: CompletionTextResolvers<ContextType>;
  CompletionReasoning?: CompletionReasoningResolvers<ContextType>;
  CompletionRefusal?: CompletionRefusalResolvers<ContextType>;
  CompletionToolCall?: CompletionToolCallResolvers<ContextType>;
  CompletionFinished?: CompletionFinishedResolvers<ContextType>;
  CompletionFailed?: CompletionFailedResolvers<ContextType>;
  CompletionError?: CompletionErrorResolvers<ContextType>;
  EmbedResult?: EmbedResultResolvers<ContextType>;
  Model?: ModelResolvers<ContextType>;
  ModelPrice?: ModelPriceResolvers<ContextType>;
  ModelConnection?: ModelConnectionResolvers<ContextType>;
  ModelEdge?: ModelEdgeResolvers<ContextType>;
  LlmUsage?: LlmUsageResolvers<ContextType>;
  LlmFigures?: LlmFiguresResolvers<ContextType>;
  LlmUsageFigures?: LlmUsageFiguresResolvers<ContextType>;
  LlmUsageGroup?: LlmUsageGroupResolvers<ContextType>;
  LlmRequest?: LlmRequestResolvers<ContextType>;
  LlmAttempt?: LlmAttemptResolvers<ContextType>;
  LlmRequestConnection?: LlmRequestConnectionResolvers<ContextType>;
  LlmRequestEdge?: LlmRequestEdgeResolvers<ContextType>;
  PageInfo?: PageInfoResolvers<ContextType>;
  Agent?: AgentResolvers<ContextType>;
  MicroDAO?: MicroDaoResolvers<ContextType>;
};

export type DirectiveResolvers<ContextType = ResolverContext> = {
  access?: AccessDirectiveResolver<any, any, ContextType>;
};
