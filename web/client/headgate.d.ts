/** Headgate in a browser: events out of Redis, and events into it, each once. /docs/client.html tells the rest. */

/** Anything that JSON can write. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [name: string]: Json | undefined };

export interface ConnectOptions {
  /** Tabs of one origin whose gates have the same name share one outbox; by default the gateway's address. */
  name?: string;
  /** One emit of a topic after the other, so that their order stands. Default true. */
  ordered?: boolean;
  /** How many emits this page's outbox takes. Default 1000. */
  maxEmits?: number;
  /** How many bytes of events (as UTF-8) it takes. Default 5000000. */
  maxBytes?: number;
  /** An emit that cannot have reached the stream and is older than this is given up. Default: none is. */
  maxAgeMs?: number;
  /** Where the gateway does not tell how long it remembers ids. Default 600000. */
  dedupeWindowMs?: number;
  /** The connection turned. */
  onState?: (state: State, facts: StateFacts) => void;
  /** The gateway said something that is no answer: events and all else, as it came. */
  onMessage?: (message: Message, text: string) => void;
  /** An emit stands in its stream; also one of an earlier page or of a tab that is gone. */
  onAcknowledged?: (emit: Emit, result: EmitResult) => void;
  /** An emit was given up, or with reason `outcome_unknown` waits for a decision. */
  onUndeliverable?: (emit: Emit, error: HeadgateError) => void;
}

export type State = 'connecting' | 'live' | 'waiting' | 'stopped' | 'closed';

export interface StateFacts {
  /** Why the connection is not there; '' while it is. */
  reason: string;
  /** When waiting: the time of the next attempt, in milliseconds since 1970; otherwise 0. */
  until: number;
}

export interface EmitOptions {
  /** 1 to 255 bytes, another one for each event. Default: a random UUID. */
  id?: string;
  /** False: this page's subscriptions do not get the event back. Default true. */
  echo?: boolean;
}

export interface EmitResult {
  /** The place of the entry in the stream. */
  cursor: string;
  /** True: it stood there already, from an earlier attempt. */
  duplicate: boolean;
  /** What was reached, on topics that ask for more than memory: `memory`, `replicas:2`, `fsync`. */
  durability?: string;
}

export type EmitState = 'storing' | 'waiting' | 'sending' | 'undecided' | 'lost' | 'acknowledged' | 'undeliverable';

/** An emit as it stood at that moment. */
export interface Emit {
  readonly id: string;
  readonly topic: string;
  readonly event: any;
  readonly echo: boolean;
  /** When it was emitted, in milliseconds since 1970. */
  readonly at: number;
  /** When it was first sent without knowing since whether it arrived; null: it cannot have arrived. */
  readonly firstSentAt: number | null;
  /** How often this page has sent it. */
  readonly attempts: number;
  readonly state: EmitState;
  /** It comes from an earlier page, or from a tab that is gone. */
  readonly takenOver: boolean;
}

export interface Outbox {
  readonly size: number;
  /** Of the events, as UTF-8. */
  readonly bytes: number;
  /** Whether what is emitted now outlives this page; false until `ready`. */
  readonly persistent: boolean;
  /** Resolves when the outbox is open and has taken over what was left behind. */
  readonly ready: Promise<void>;
  list(): Emit[];
  /** Sends an undecided emit again, although it may be in the stream already. */
  resend(id: string): Promise<EmitResult>;
  /** Forgets an emit that waits or is undecided; false when there is none. */
  discard(id: string): boolean;
}

/** A message of the gateway, as the protocol has it. */
export interface Message {
  op: string;
  [member: string]: any;
}

export interface EventMessage extends Message {
  op: 'event';
  sub: number;
  topic: string;
  /** Absent on channels. */
  cursor?: string;
  /** One of these three: JSON, other text, other bytes. */
  event?: any;
  text?: string;
  base64?: string;
}

export interface GapMessage extends Message {
  op: 'gap';
  sub: number;
  topic: string;
  reason: 'trimmed' | 'rolled_back' | 'deleted' | 'gone' | 'overflow' | 'disconnected' | (string & {});
  count?: number;
}

export type Filter = string | { readonly [dialect: string]: Json };

export type From =
  | 'live'
  | 'start'
  | { last: number }
  | { start: true; speed?: number }
  | { since: string | number; speed?: number }
  | { cursors: Record<string, string>; otherwise?: 'live' | 'start' | { since: string | number }; speed?: number };

export interface SubscribeOptions {
  filter?: Filter | null;
  /** Where to begin. Default `live`. */
  from?: From;
  conflate?: { key: string; every_ms?: number };
  /** So many events a second at most, each time the latest. */
  rate?: number;
  /** `text`: the message as it came, digit for digit. */
  onEvent?: (message: EventMessage, text: string) => void;
  onGap?: (message: GapMessage) => void;
  onStale?: (message: Message) => void;
  onLive?: (message: Message) => void;
  onCaughtUp?: (message: Message) => void;
  onConflated?: (message: Message) => void;
  /** It was refused, for now or until something changes. */
  onError?: (error: HeadgateError) => void;
}

export interface Subscription {
  readonly topic: string;
  readonly filter: Filter | null;
  readonly state: 'pending' | 'live' | 'stale' | 'refused' | 'closed';
  /** A sentence for the developer: the filter may not mean what it seems to. */
  readonly hint?: string;
  /** Gives it another filter, or with null none. Rejects when that is refused; the old one stays then. */
  update(filter: Filter | null): Promise<void>;
  close(): void;
}

export interface Gate {
  readonly state: State;
  /** From the gateway's welcome; {} while there is no connection. */
  readonly limits: { readonly [name: string]: number };
  readonly outbox: Outbox;
  emit(topic: string, event: Json | object, options?: EmitOptions): Promise<EmitResult>;
  subscribe(topic: string, options?: SubscribeOptions): Subscription;
  /** Tries to connect at once, instead of waiting. */
  reconnect(): void;
  /** Ends it all. Resolves when what is unanswered stands in the outbox for the next page. */
  close(): Promise<void>;
}

/** Why something was not done. */
export class HeadgateError extends Error {
  readonly name: 'HeadgateError';
  /** That of the gateway's table of errors; 0: the reason is one of this library's own. */
  readonly code: number;
  readonly reason: string;
  /** RFC 6901: the place in the event that is not valid. */
  readonly pointer?: string;
  readonly at?: number;
  readonly retry_ms?: number;
  /** True when nobody can tell whether it was done, for no word came. */
  readonly unknown: boolean;
}

/** `url`: of the gateway's WebSocket, absolute or as seen from the page. Without one: that of the gateway which served this file. */
export function connect(url?: string | URL, options?: ConnectOptions): Gate;
