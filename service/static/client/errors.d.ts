/** What the service says is wrong (RFC 9457); `detail`, which is the message too, says what to do about it. */
export class Problem extends Error {
  readonly status: number;
  readonly type: string;
  readonly title: string;
  readonly detail: string;
  readonly instance: string;
  /** The parameters that are wrong, one by one. */
  readonly errors: { parameter: string; message: string }[];
  /** Seconds after which the same request may be sent again; null if it is not to be. */
  readonly retryAfter: number | null;
}

/** The service cannot be reached, or what it said was cut off. */
export class Unreachable extends Error {}
