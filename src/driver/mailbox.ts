// What threads of a program tell each other, in order; the wait for it is the scheduler's.

/** A queue between threads. */
export class Mailbox<T> {
  /** In an envelope each, since a thread may send nothing. */
  readonly #mails: { readonly content: T }[] = [];
  readonly #receivers: ((mail: T) => void)[] = [];

  /** Sends; never waits. */
  send(mail: T): void {
    const receiver = this.#receivers.shift();
    if (receiver === undefined) this.#mails.push({ content: mail });
    else receiver(mail);
  }

  /** Gives `receiver` the next mail, now or when it comes; programs use `thread.receive`. */
  subscribe(receiver: (mail: T) => void): void {
    const mail = this.#mails.shift();
    if (mail === undefined) this.#receivers.push(receiver);
    else receiver(mail.content);
  }
}
