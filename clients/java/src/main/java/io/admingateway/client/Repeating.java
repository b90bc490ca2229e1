package io.admingateway.client;

import com.google.protobuf.DescriptorProtos.MethodOptions.IdempotencyLevel;
import com.google.protobuf.Descriptors;
import com.google.protobuf.Message;
import io.grpc.CallOptions;
import io.grpc.Channel;
import io.grpc.ClientCall;
import io.grpc.ClientInterceptor;
import io.grpc.Context;
import io.grpc.Deadline;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.Status;
import io.grpc.protobuf.ProtoMethodDescriptorSupplier;
import java.time.Duration;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import java.util.concurrent.ForkJoinPool;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/** Gives calls their token, deadline and idempotency key, and repeats those that may be. */
record Repeating(Tokens tokens, Duration deadline, int attempts, boolean keys, Runnable reconnect)
    implements ClientInterceptor {
  private static final Metadata.Key<String> AUTHORIZATION = GatewayException.key("authorization");
  private static final Metadata.Key<String> KEY = GatewayException.key("idempotency-key");
  private static final Set<String> KEYLESS =
      Set.of("IDEMPOTENCY_NOT_CONFIGURED", "IDEMPOTENCY_NEEDS_ENCRYPTION");
  private static final Set<String> LASTING = Set.of("UPSTREAM_BAD_RESPONSE", "UPSTREAM_REDIRECTED");
  private static final long FIRST_PAUSE = TimeUnit.MILLISECONDS.toNanos(100);
  private static final long LONGEST_PAUSE = TimeUnit.SECONDS.toNanos(5);

  @Override
  public <Q, R> ClientCall<Q, R> interceptCall(
      MethodDescriptor<Q, R> method, CallOptions options, Channel next) {
    boolean unary = method.getType() == MethodDescriptor.MethodType.UNARY;
    if (unary && options.getDeadline() == null && Context.current().getDeadline() == null) {
      options = options.withDeadlineAfter(deadline.toNanos(), TimeUnit.NANOSECONDS);
    }
    return new Call<>(method, options, next);
  }

  /** The pause before an attempt: half of it is random, so that callers do not come together. */
  static long pause(int attempt, Duration asked) {
    long most = Math.min(FIRST_PAUSE << Math.min(attempt - 1, 20), LONGEST_PAUSE);
    return Math.max(most / 2 + ThreadLocalRandom.current().nextLong(most / 2), asked.toNanos());
  }

  /** A call of one request. It is made of attempts, of which one at most is under way. */
  private final class Call<Q, R> extends ClientCall<Q, R> {
    private final MethodDescriptor<Q, R> method;
    private final CallOptions options;
    private final Channel next;
    private final boolean unary;
    private final Context context = Context.current();
    private final Context.CancellationListener onCancel =
        ended -> cancel("the context has ended", ended.cancellationCause());

    // Set before the first attempt, and by the one attempt at a time.
    private Listener<R> listener;
    private Metadata headers;
    private Q request;
    private boolean ownKey;
    private boolean exchanged;
    private String token;
    private int attempt;

    // Guarded by this.
    private ClientCall<Q, R> current;
    private int requested;
    private boolean ended;

    Call(MethodDescriptor<Q, R> method, CallOptions options, Channel next) {
      this.method = method;
      this.options = options;
      this.next = next;
      this.unary = method.getType() == MethodDescriptor.MethodType.UNARY;
    }

    @Override
    public void start(Listener<R> listener, Metadata headers) {
      this.listener = listener;
      this.headers = headers;
      String wanted = options.getOption(Gateway.IDEMPOTENCY_KEY);
      if (headers.containsKey(KEY) || Gateway.NO_KEY.equals(wanted)) {
        return;
      }
      if (wanted != null) {
        headers.put(KEY, wanted);
      } else if (keys
          && !isRead()
          && method.getServiceName().startsWith("admingateway.admin.v1.")) {
        headers.put(KEY, UUID.randomUUID().toString());
        ownKey = true;
      }
    }

    @Override
    public void sendMessage(Q message) {
      request = message;
    }

    @Override
    public void halfClose() {
      context.addListener(onCancel, Runnable::run);
      attempt(null, null);
    }

    @Override
    public void request(int messages) {
      ClientCall<Q, R> call;
      synchronized (this) {
        requested += messages;
        call = current;
      }
      if (call != null) {
        call.request(messages);
      }
    }

    @Override
    public void cancel(String message, Throwable cause) {
      ClientCall<Q, R> call;
      synchronized (this) {
        call = current;
      }
      if (call != null) {
        call.cancel(message, cause);
      } else {
        finish(Status.CANCELLED.withDescription(message).withCause(cause), new Metadata());
      }
    }

    /** Makes the next attempt; after a refused token only if there is another one. */
    private void attempt(Status refusal, Metadata trailers) {
      tokens
          .token(refusal == null ? null : token)
          .orTimeout(left(), TimeUnit.NANOSECONDS)
          .whenComplete(
              (fresh, problem) -> {
                if (refusal != null && (problem != null || token.equals(fresh))) {
                  finish(refusal, trailers);
                } else if (problem != null) {
                  boolean late = problem instanceof TimeoutException;
                  Status status = late ? Status.DEADLINE_EXCEEDED : Status.UNAUTHENTICATED;
                  finish(status.withDescription("no token").withCause(problem), new Metadata());
                } else {
                  token = fresh;
                  context.run(this::send);
                }
              });
    }

    private void send() {
      if (isOver()) {
        return;
      }
      ClientCall<Q, R> call = next.newCall(method, options);
      try {
        if (attempt++ > 0 || !unary) {
          reconnect.run(); // The pauses are ours.
        }
        Metadata sent = new Metadata();
        sent.merge(headers);
        if (token != null && !headers.containsKey(AUTHORIZATION)) {
          sent.put(AUTHORIZATION, "Bearer " + token);
        }
        call.start(new Attempt(), sent);
        int waiting;
        synchronized (this) {
          current = call;
          waiting = requested;
        }
        if (isOver()) {
          call.cancel("the call has ended", null);
          return;
        }
        if (waiting > 0) {
          call.request(waiting);
        }
        call.sendMessage(request);
        call.halfClose();
      } catch (RuntimeException problem) { // Nobody else sees it here.
        call.cancel("the attempt failed", problem);
        finish(Status.INTERNAL.withCause(problem), new Metadata());
      }
    }

    /** Whether there is another attempt after an error. */
    private boolean repeats(Status status, Metadata trailers) {
      GatewayException error = GatewayException.of(status, trailers);
      if (status.getCode() == Status.Code.UNAUTHENTICATED && !exchanged && token != null) {
        exchanged = true;
        attempt(status, trailers);
        return true;
      }
      if (ownKey && KEYLESS.contains(error.reason())) { // Nothing was made.
        ownKey = false;
        headers.discardAll(KEY);
        attempt(null, null);
        return true;
      }
      boolean passes =
          status.getCode() == Status.Code.UNAVAILABLE && !LASTING.contains(error.reason())
              || status.getCode() == Status.Code.RESOURCE_EXHAUSTED
                  && error.retryDelay().isPresent();
      if (!unary || !passes || attempt >= attempts || !mayRepeat()) {
        return false;
      }
      long pause = pause(attempt, error.retryDelay().orElse(Duration.ZERO));
      if (pause >= left()) {
        return false;
      }
      CompletableFuture.delayedExecutor(pause, TimeUnit.NANOSECONDS)
          .execute(() -> attempt(null, null));
      return true;
    }

    private boolean mayRepeat() {
      return isRead() || headers.containsKey(KEY) || hasRequestId();
    }

    private boolean hasRequestId() {
      Message message = (Message) request;
      Descriptors.FieldDescriptor id = message.getDescriptorForType().findFieldByName("request_id");
      return id != null && !message.getField(id).equals("");
    }

    private boolean isRead() {
      return method.getSchemaDescriptor() instanceof ProtoMethodDescriptorSupplier schema
          && schema.getMethodDescriptor().getOptions().getIdempotencyLevel()
              == IdempotencyLevel.NO_SIDE_EFFECTS;
    }

    private long left() {
      Deadline own = options.getDeadline();
      Deadline callers = context.getDeadline();
      long left = own == null ? Long.MAX_VALUE : own.timeRemaining(TimeUnit.NANOSECONDS);
      long other = callers == null ? left : callers.timeRemaining(TimeUnit.NANOSECONDS);
      return own == null && callers == null ? deadline.toNanos() : Math.min(left, other);
    }

    /** Ends the call while no attempt is under way. */
    private void finish(Status status, Metadata trailers) {
      if (end()) {
        Executor executor = options.getExecutor();
        (executor == null ? ForkJoinPool.commonPool() : executor)
            .execute(() -> listener.onClose(status, trailers));
      }
    }

    private boolean end() {
      context.removeListener(onCancel);
      synchronized (this) {
        boolean first = !ended;
        ended = true;
        return first;
      }
    }

    private synchronized boolean isOver() {
      return ended;
    }

    /** Passes on what an attempt brings, unless it is repeated. */
    private final class Attempt extends Listener<R> {
      private Metadata answer;
      private boolean passed;

      @Override
      public void onHeaders(Metadata headers) {
        answer = headers;
      }

      @Override
      public void onMessage(R message) {
        if (!isOver()) {
          pass();
          listener.onMessage(message);
        }
      }

      @Override
      public void onClose(Status status, Metadata trailers) {
        if (isOver()) {
          return;
        }
        GatewayException.addRequestId(answer, trailers);
        if (!status.isOk() && !passed) {
          synchronized (Call.this) {
            current = null;
          }
          if (repeats(status, trailers)) {
            return;
          }
        }
        if (end()) {
          pass();
          listener.onClose(status, trailers);
        }
      }

      private void pass() {
        if (!passed && answer != null) {
          listener.onHeaders(answer);
        }
        passed = true;
      }
    }
  }
}
