// What goes wrong.

/** What the service says is wrong (RFC 9457); `detail` says what to do about it. */
export class Problem extends Error {
  constructor(status, document, retryAfter = null) {
    super(document.detail ?? document.title ?? `status ${status}`);
    this.name = "Problem";
    this.status = status;
    this.type = document.type ?? "about:blank";
    this.title = document.title ?? "";
    this.detail = this.message;
    this.instance = document.instance ?? "";
    this.errors = document.errors ?? [];
    this.retryAfter = retryAfter; // seconds after which the same may be sent again; null if it is not to be
  }
}

/** The service cannot be reached, or what it said was cut off. */
export class Unreachable extends Error {
  constructor(message, cause) {
    super(message, { cause });
    this.name = "Unreachable";
  }
}
