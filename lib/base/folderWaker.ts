// Owns waiting for a change in a folder: woken by inotify where it can be had, and by looking now and then in any case.
import { type FSWatcher, watch } from 'node:fs';

const lookMs = 250;

export class FolderWaker {
  #watcher: FSWatcher | undefined;
  #wake: () => void = () => undefined;
  readonly #signal: AbortSignal;

  constructor(folder: string, signal: AbortSignal) {
    this.#signal = signal;
    try {
      this.#watcher = watch(folder, () => this.#wake());
      this.#watcher.on('error', () => this.close());
    } catch {
      // Without watches left to us (fs.inotify.max_user_watches), or without the folder, looking now and then must do.
    }
  }

  /** Settles at a change, after a quarter of a second, or when the signal is aborted. */
  async wait(): Promise<void> {
    if (this.#signal.aborted) return;
    await new Promise<void>((done) => {
      const timer = setTimeout(() => this.#wake(), lookMs);
      this.#wake = () => {
        clearTimeout(timer);
        this.#signal.removeEventListener('abort', this.#wake);
        done();
      };
      this.#signal.addEventListener('abort', this.#wake, { once: true });
    });
  }

  /** Ends the watch; waiting goes on by looking. */
  close(): void {
    this.#watcher?.close();
    this.#watcher = undefined;
  }
}
