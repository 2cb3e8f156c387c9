// What the agent logs through; pino's call shape.

type Write = (fields: object, message: string) => void;

export interface Log {
  readonly error: Write;
  readonly warn: Write;
  readonly info: Write;
  readonly debug: Write;
}
