// tsyringe with typed tokens: values are created when they are first resolved, and disposed of in reverse order.
import { createRequire } from "node:module";
import type { DependencyContainer } from "tsyringe";

// tsyringe does not load without the metadata API of decorators, although it uses it only for decorated classes, of which we have none.
if (!("getMetadata" in Reflect)) Object.assign(Reflect, { getMetadata: () => undefined });

// Without its decorators: 9 of its 34 modules.
const { instance: root } = createRequire(import.meta.url)("tsyringe/dist/cjs/dependency-container.js") as {
  readonly instance: DependencyContainer;
};
const { default: instanceCachingFactory } = createRequire(import.meta.url)(
  "tsyringe/dist/cjs/factories/instance-caching-factory.js",
) as { readonly default: typeof import("tsyringe").instanceCachingFactory };

/** A name under which a container has a value of type T; shares its interface's name. */
export type Token<T> = symbol & { readonly __type?: T };

export function token<T>(name: string): Token<T> {
  return Symbol(name) as Token<T>;
}

/** The value of a promise, or else the value itself. */
type Made<T> = T extends Promise<infer V> ? V : T;

export class Container implements AsyncDisposable {
  readonly #inner: DependencyContainer;
  readonly #made = new AsyncDisposableStack();

  /** Without `parent` it shares nothing with others, so that several agents (tests) can run in one process. */
  constructor(parent?: Container) {
    this.#inner = (parent ? parent.#inner : root).createChildContainer();
  }

  /**
   * Registers how a value is created when it is first resolved; the last registration of a token wins. `dispose` is
   * called with the value; for a promise only if it was fulfilled, and after everything that was created later.
   */
  provide<T>(as: Token<T>, make: (from: Container) => T, dispose?: (value: Made<T>) => unknown): this {
    const create = (): T => {
      const value = make(this);
      if (dispose) this.#onceMade(value, dispose);
      return value;
    };
    this.#inner.register(as, { useFactory: instanceCachingFactory(create) });
    return this;
  }

  #onceMade<T>(value: T, dispose: (value: Made<T>) => unknown): void {
    const defer = (made: Made<T>) => {
      // A promise may be fulfilled after the container's end.
      if (this.#made.disposed) void dispose(made);
      else this.#made.defer(async () => void (await dispose(made)));
    };
    if (value instanceof Promise) value.then(defer, () => {});
    else defer(value as Made<T>);
  }

  /** The value of a token; throws if it is registered neither here nor in a parent, or if it cannot be created. */
  resolve<T>(what: Token<T>): T {
    return this.#inner.resolve<T>(what);
  }

  /** A container with its own values that also sees all of this one's. */
  child(): Container {
    return new Container(this);
  }

  /** Disposes of what was created here, but not by its children. Idempotent. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.#made.disposeAsync();
  }
}
