// Owns keeping what a program writes, up to a bound.

/** Bytes kept in order; what does not fit is dropped, so that the host never buffers more than the bound. */
export class Capture {
  readonly #chunks: Uint8Array[] = [];
  readonly #most: number;
  #bytes = 0;
  #truncated = false;

  /** `most`: bytes. */
  constructor(most: number) {
    this.#most = most;
  }

  /** Whether something did not fit. */
  get truncated(): boolean {
    return this.#truncated;
  }

  add(chunk: Uint8Array): void {
    const kept = chunk.subarray(0, this.#most - this.#bytes);
    if (kept.length < chunk.length) this.#truncated = true;
    if (kept.length === 0) return;
    this.#chunks.push(kept);
    this.#bytes += kept.length;
  }

  /** As text, cut between characters; what is not UTF-8 is shown as U+FFFD. */
  text(): string {
    const decoder = new TextDecoder('utf-8', { fatal: false, ignoreBOM: true });
    // A character that the bound cut is held back by the decoder, one that the program cut is shown.
    return decoder.decode(Buffer.concat(this.#chunks), { stream: this.#truncated });
  }
}
