/** A picture to be sent: a file of a form, or the bytes of one. */
export type Picture = Blob | ArrayBuffer | ArrayBufferView;

/** Numbers of any shape, row by row; maps are float32. */
export interface Numbers {
  values: Float32Array | Float64Array | Int32Array | Uint32Array | Int16Array | Uint16Array | Int8Array | Uint8Array;
  shape: number[];
}

/** What happened, of a stream; `end` is the last one. */
export interface ServerEvent {
  event: string;
  data: Record<string, unknown>;
  id?: string;
}

/** How a request is sent. */
export interface Options {
  /** Ends the request, also while it waits to be sent again. */
  signal?: AbortSignal;
}

export interface ClientOptions {
  /** Address of the service; by default the one that this file was loaded from. */
  server?: string | URL;
  apiKey?: string;
  /** Seconds for which a request that is refused for now, or a stream that was cut, is asked for again; 60 by default. */
  patience?: number;
}

/** Sends requests, and sends those again that are refused for now, after `Retry-After`. */
export class Transport {
  constructor(options?: ClientOptions);
  readonly server: string;
}
