package io.admingateway.client;

import com.google.protobuf.Any;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.Message;
import com.google.rpc.BadRequest;
import com.google.rpc.ErrorInfo;
import com.google.rpc.RetryInfo;
import io.grpc.Metadata;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.protobuf.StatusProto;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** The error of a call. Each kind has a class, such as {@link PermissionDenied}. */
public class GatewayException extends StatusRuntimeException {
  private static final long serialVersionUID = 1;
  private static final Metadata.Key<String> REQUEST_ID = key("x-request-id");

  private final ErrorInfo info;
  private final BadRequest request;
  private final RetryInfo retry;

  GatewayException(Status status, Metadata trailers) {
    super(status, trailers);
    com.google.rpc.Status details = details(status, trailers);
    info = detail(details, ErrorInfo.getDefaultInstance());
    request = detail(details, BadRequest.getDefaultInstance());
    retry = detail(details, RetryInfo.getDefaultInstance());
  }

  /** The error that a status is, of its own class. */
  public static GatewayException of(Status status, Metadata trailers) {
    trailers = trailers == null ? new Metadata() : trailers;
    return switch (status.getCode()) {
      case CANCELLED -> new Canceled(status, trailers);
      case INVALID_ARGUMENT -> new InvalidArgument(status, trailers);
      case DEADLINE_EXCEEDED -> new DeadlineExceeded(status, trailers);
      case NOT_FOUND -> new NotFound(status, trailers);
      case ALREADY_EXISTS -> new AlreadyExists(status, trailers);
      case PERMISSION_DENIED -> new PermissionDenied(status, trailers);
      case RESOURCE_EXHAUSTED -> new ResourceExhausted(status, trailers);
      case FAILED_PRECONDITION -> new FailedPrecondition(status, trailers);
      case ABORTED -> new Aborted(status, trailers);
      case OUT_OF_RANGE -> new OutOfRange(status, trailers);
      case UNIMPLEMENTED -> new Unimplemented(status, trailers);
      case INTERNAL -> new Internal(status, trailers);
      case UNAVAILABLE -> new Unavailable(status, trailers);
      case DATA_LOSS -> new DataLoss(status, trailers);
      case UNAUTHENTICATED -> new Unauthenticated(status, trailers);
      default -> {
        GatewayException unknown = new Unknown(status, trailers);
        boolean outcome = unknown.reason().equals("OUTCOME_UNKNOWN");
        yield outcome ? new OutcomeUnknown(status, trailers) : unknown;
      }
    };
  }

  /** The error that another part of gRPC has made a plain exception of. */
  static RuntimeException of(StatusRuntimeException error) {
    return error instanceof GatewayException ? error : of(error.getStatus(), error.getTrailers());
  }

  /** The kind: the name of the class, such as {@code PermissionDenied}. */
  public String kind() {
    return getClass().getSimpleName();
  }

  /** The code of gRPC. */
  public Status.Code code() {
    return getStatus().getCode();
  }

  /** The reason, for programs to branch on; empty where the gateway did not make the error. */
  public String reason() {
    return info.getReason();
  }

  /** The message for people. Where the call did not get to the gateway, it ends with the cause. */
  public String description() {
    String text = Optional.ofNullable(getStatus().getDescription()).orElse("");
    Throwable cause = getCause();
    while (cause != null && cause.getCause() != null) {
      cause = cause.getCause();
    }
    return cause == null ? text : text.lines().findFirst().orElse("") + ": " + cause;
  }

  /** The fields of the request that are wrong, and the fault of each. */
  public List<BadRequest.FieldViolation> fieldViolations() {
    return request.getFieldViolationsList();
  }

  /** How long the gateway asks to wait before another attempt. */
  public Optional<Duration> retryDelay() {
    if (!retry.hasRetryDelay()) {
      return Optional.empty();
    }
    var delay = retry.getRetryDelay();
    return Optional.of(Duration.ofSeconds(delay.getSeconds(), delay.getNanos()));
  }

  /** The gateway's id of the call; empty where it did not get there. */
  public String requestId() {
    return Optional.ofNullable(getTrailers().get(REQUEST_ID)).orElse("");
  }

  /** The upstream's id of the call, where it is known. */
  public String upstreamRequestId() {
    return metadata().getOrDefault("upstream_request_id", "");
  }

  /** The project for which the permission is missing; empty where it is about none. */
  public String project() {
    return metadata().getOrDefault("project", "");
  }

  /** The permission that is missing. */
  public String permission() {
    return metadata().getOrDefault("permission", "");
  }

  /** All that the gateway says about the error beside its reason. */
  public Map<String, String> metadata() {
    return info.getMetadataMap();
  }

  static Metadata.Key<String> key(String name) {
    return Metadata.Key.of(name, Metadata.ASCII_STRING_MARSHALLER);
  }

  /** Keeps the id of the call with an error that came after the headers. */
  static void addRequestId(Metadata headers, Metadata trailers) {
    if (headers != null && headers.containsKey(REQUEST_ID) && !trailers.containsKey(REQUEST_ID)) {
      trailers.put(REQUEST_ID, headers.get(REQUEST_ID));
    }
  }

  private static com.google.rpc.Status details(Status status, Metadata trailers) {
    try {
      return StatusProto.fromStatusAndTrailers(status, trailers);
    } catch (IllegalArgumentException e) { // They are not the gateway's, or are damaged.
      return com.google.rpc.Status.getDefaultInstance();
    }
  }

  @SuppressWarnings("unchecked") // A message's class is that of its default instance.
  private static <M extends Message> M detail(com.google.rpc.Status details, M none) {
    for (Any detail : details.getDetailsList()) {
      if (detail.is(none.getClass())) {
        try {
          return (M) detail.unpack(none.getClass());
        } catch (InvalidProtocolBufferException e) {
          return none;
        }
      }
    }
    return none;
  }
}
