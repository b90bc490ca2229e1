import { Code, ConnectError } from '@connectrpc/connect';
import { BadRequestSchema, ErrorInfoSchema, RetryInfoSchema } from './gen/google/rpc/error_details_pb.js';
import { durationMs } from '@bufbuild/protobuf/wkt';

/**
 * A call that failed. Each kind is a subclass: `if (error instanceof PermissionDenied) error.permission`.
 * It is a ConnectError too, for programs that know these.
 */
export class GatewayError extends ConnectError {
  /** The kind: the name of the subclass. */
  readonly kind: keyof typeof Code | 'OutcomeUnknown' = Code[this.code] as keyof typeof Code;
  /** Whether the gateway gave the error, and not the network or this library. */
  readonly fromGateway: boolean;
  /** Why, for programs: the reasons are stable. Empty where the error is not the gateway's. */
  readonly reason: string;
  /** All metadata of the `google.rpc.ErrorInfo`. */
  readonly info: Readonly<Record<string, string>>;
  /** The invalid fields of the request. */
  readonly fields: readonly { readonly field: string; readonly description: string }[];
  /** How long the gateway asks to wait before the call is made again. */
  readonly retryDelayMs: number | undefined;
  /** The gateway's id of the call. */
  readonly requestId: string;

  constructor(error: ConnectError) {
    super(error.rawMessage, error.code, error.metadata, undefined, error.cause);
    this.details = error.details;
    const [info] = error.findDetails(ErrorInfoSchema);
    const [retry] = error.findDetails(RetryInfoSchema);
    this.fromGateway = info !== undefined;
    this.reason = info?.reason ?? '';
    this.info = info?.metadata ?? {};
    this.fields = error.findDetails(BadRequestSchema).flatMap((request) => request.fieldViolations);
    this.retryDelayMs = retry?.retryDelay && durationMs(retry.retryDelay);
    this.requestId = error.metadata.get('x-request-id')?.split(',')[0] ?? '';
  }

  /** The upstream's id of the call, as far as it is known. */
  get upstreamRequestId(): string {
    return this.info['upstream_request_id'] ?? '';
  }
  /** The permission that the caller lacks. */
  get permission(): string {
    return this.info['permission'] ?? '';
  }
  /** The project for which it lacks the permission; empty where it lacks it altogether. */
  get project(): string {
    return this.info['project'] ?? '';
  }

  // ConnectError looks at properties instead of the class, which would make all kinds the same.
  static override [Symbol.hasInstance]<T>(this: abstract new (...args: never) => T, value: unknown): value is T {
    return Function.prototype[Symbol.hasInstance].call(this, value);
  }
}

/** The caller gave up. */ export class Canceled extends GatewayError {
  declare readonly kind: 'Canceled';
}
/** Something failed, and nobody knows more. */ export class Unknown extends GatewayError {
  declare readonly kind: 'Unknown' | 'OutcomeUnknown';
}
/** Nobody knows whether the write was made. Read before it is made again. */ export class OutcomeUnknown extends Unknown {
  override readonly kind = 'OutcomeUnknown';
}
/** The request is wrong: {@link GatewayError.fields}. */ export class InvalidArgument extends GatewayError {
  declare readonly kind: 'InvalidArgument';
}
/** The time was up. A write may have been made. */ export class DeadlineExceeded extends GatewayError {
  declare readonly kind: 'DeadlineExceeded';
}
/** There is no such thing. */ export class NotFound extends GatewayError {
  declare readonly kind: 'NotFound';
}
/** It exists. */ export class AlreadyExists extends GatewayError {
  declare readonly kind: 'AlreadyExists';
}
/** The policy does not allow it: {@link GatewayError.permission}. */ export class PermissionDenied extends GatewayError {
  declare readonly kind: 'PermissionDenied';
}
/** A limit is reached: wait for {@link GatewayError.retryDelayMs}. */ export class ResourceExhausted extends GatewayError {
  declare readonly kind: 'ResourceExhausted';
}
/** The gateway or its state is not made for that. */ export class FailedPrecondition extends GatewayError {
  declare readonly kind: 'FailedPrecondition';
}
/** Something else happened at the same time. */ export class Aborted extends GatewayError {
  declare readonly kind: 'Aborted';
}
/** Beyond the end. */ export class OutOfRange extends GatewayError {
  declare readonly kind: 'OutOfRange';
}
/** There is no such method. */ export class Unimplemented extends GatewayError {
  declare readonly kind: 'Unimplemented';
}
/** A fault of the gateway. */ export class Internal extends GatewayError {
  declare readonly kind: 'Internal';
}
/** No answer: of the gateway, or of the upstream. */ export class Unavailable extends GatewayError {
  declare readonly kind: 'Unavailable';
}
/** Data are lost. */ export class DataLoss extends GatewayError {
  declare readonly kind: 'DataLoss';
}
/** No valid credential. */ export class Unauthenticated extends GatewayError {
  declare readonly kind: 'Unauthenticated';
}

const kinds: Record<Code, typeof GatewayError> = {
  [Code.Canceled]: Canceled,
  [Code.Unknown]: Unknown,
  [Code.InvalidArgument]: InvalidArgument,
  [Code.DeadlineExceeded]: DeadlineExceeded,
  [Code.NotFound]: NotFound,
  [Code.AlreadyExists]: AlreadyExists,
  [Code.PermissionDenied]: PermissionDenied,
  [Code.ResourceExhausted]: ResourceExhausted,
  [Code.FailedPrecondition]: FailedPrecondition,
  [Code.Aborted]: Aborted,
  [Code.OutOfRange]: OutOfRange,
  [Code.Unimplemented]: Unimplemented,
  [Code.Internal]: Internal,
  [Code.Unavailable]: Unavailable,
  [Code.DataLoss]: DataLoss,
  [Code.Unauthenticated]: Unauthenticated,
};

/** The error of a call in the form of this package. */
export function gatewayError(reason: unknown, canceled = true): GatewayError {
  if (reason instanceof GatewayError) return reason;
  let error = ConnectError.from(reason, Code.Internal);
  // The transport says Canceled where a connection is lost, too.
  const lost = error.code === Code.Canceled && !canceled && error.details.length === 0;
  if (lost || brokeConnection(error)) {
    error = new ConnectError(error.rawMessage, Code.Unavailable, error.metadata, undefined, error.cause);
  }
  if (error.code === Code.Unknown && error.findDetails(ErrorInfoSchema)[0]?.reason === 'OUTCOME_UNKNOWN') {
    return new OutcomeUnknown(error);
  }
  return new kinds[error.code](error);
}

// Errors of Node's networking and TLS have a text as their code, such as ECONNRESET.
function brokeConnection(error: unknown, depth = 0): boolean {
  if (!(error instanceof Error) || depth > 8) return false;
  return ('code' in error && typeof error.code === 'string') || brokeConnection(error.cause, depth + 1);
}

/** An argument of `connect` that cannot be used. */
export class InvalidConfig extends Error {
  override readonly name = 'InvalidConfig';
  /** The kind. */
  readonly kind = 'InvalidConfig';

  constructor(
    /** The name of the argument. */
    readonly argument: string,
    problem: string,
    options?: ErrorOptions,
  ) {
    super(`${argument}: ${problem}`, options);
  }
}
