// tsyringe, by its container API: typed tokens and checked bindings, no decorators, no metadata.
import "reflect-metadata";
import { type DependencyContainer, instanceCachingFactory, container as root } from "tsyringe";

/** A service's name in the container; shares its interface's name. */
export type Token<T> = symbol & { readonly __type?: T };

export function token<T>(name: string): Token<T> {
  return Symbol(name) as Token<T>;
}

type Tokens<A extends readonly unknown[]> = { readonly [K in keyof A]: Token<A[K]> };

/** Registers one instance of a class; the compiler holds `dependencies` against its constructor. */
export function bind<T, A extends readonly unknown[]>(
  into: DependencyContainer,
  as: Token<T>,
  make: new (...dependencies: A) => T,
  ...dependencies: Tokens<A>
): void {
  into.register(as, {
    useFactory: instanceCachingFactory(
      (from) => new make(...(dependencies.map((d) => from.resolve(d as symbol)) as unknown as A)),
    ),
  });
}

export function bindValue<T>(into: DependencyContainer, as: Token<T>, value: T): void {
  into.register(as, { useValue: value });
}

export function resolve<T>(from: DependencyContainer, what: Token<T>): T {
  return from.resolve<T>(what as symbol);
}

/** A container of its own, so that agents in one process (tests) share nothing. */
export function createContainer(): DependencyContainer {
  return root.createChildContainer();
}
