package io.admingateway.client;

import com.google.common.util.concurrent.Futures;
import com.google.common.util.concurrent.ListenableFuture;
import com.google.common.util.concurrent.MoreExecutors;
import io.grpc.CallOptions;
import io.grpc.Channel;
import io.grpc.ClientCall;
import io.grpc.MethodDescriptor;
import io.grpc.StatusException;
import io.grpc.StatusRuntimeException;
import io.grpc.stub.BlockingClientCall;
import io.grpc.stub.ClientCallStreamObserver;
import io.grpc.stub.ClientCalls;
import io.grpc.stub.ClientResponseObserver;
import io.grpc.stub.StreamObserver;
import java.util.Iterator;
import java.util.function.Supplier;

/**
 * The calls of the generated stubs: those of {@link ClientCalls}, whose errors are {@link
 * GatewayException}s. Programs have no use for it.
 */
public final class TypedCalls {
  private TypedCalls() {}

  /** See {@link ClientCalls}. */
  public static <Q, R> R blockingUnaryCall(
      Channel channel, MethodDescriptor<Q, R> method, CallOptions options, Q request) {
    return typed(() -> ClientCalls.blockingUnaryCall(channel, method, options, request));
  }

  /** See {@link ClientCalls}. */
  public static <Q, R> R blockingV2UnaryCall(
      Channel channel, MethodDescriptor<Q, R> method, CallOptions options, Q request)
      throws StatusException {
    return blockingUnaryCall(channel, method, options, request);
  }

  /** See {@link ClientCalls}. */
  public static <Q, R> Iterator<R> blockingServerStreamingCall(
      Channel channel, MethodDescriptor<Q, R> method, CallOptions options, Q request) {
    Iterator<R> messages =
        ClientCalls.blockingServerStreamingCall(channel, method, options, request);
    return new Iterator<>() {
      @Override
      public boolean hasNext() {
        return typed(messages::hasNext);
      }

      @Override
      public R next() {
        return typed(messages::next);
      }
    };
  }

  /** See {@link ClientCalls}. Its errors are {@link StatusException}s. */
  public static <Q, R> BlockingClientCall<Q, R> blockingV2ServerStreamingCall(
      Channel channel, MethodDescriptor<Q, R> method, CallOptions options, Q request) {
    return ClientCalls.blockingV2ServerStreamingCall(channel, method, options, request);
  }

  /** See {@link ClientCalls}. */
  public static <Q, R> void asyncUnaryCall(
      ClientCall<Q, R> call, Q request, StreamObserver<R> observer) {
    ClientCalls.asyncUnaryCall(call, request, new Typed<>(observer));
  }

  /** See {@link ClientCalls}. */
  public static <Q, R> void asyncServerStreamingCall(
      ClientCall<Q, R> call, Q request, StreamObserver<R> observer) {
    ClientCalls.asyncServerStreamingCall(call, request, new Typed<>(observer));
  }

  /** See {@link ClientCalls}. */
  public static <Q, R> ListenableFuture<R> futureUnaryCall(ClientCall<Q, R> call, Q request) {
    return Futures.catching(
        ClientCalls.futureUnaryCall(call, request),
        StatusRuntimeException.class,
        error -> {
          throw GatewayException.of(error);
        },
        MoreExecutors.directExecutor());
  }

  private static <T> T typed(Supplier<T> call) {
    try {
      return call.get();
    } catch (StatusRuntimeException error) {
      throw GatewayException.of(error);
    }
  }

  private record Typed<Q, R>(StreamObserver<R> observer) implements ClientResponseObserver<Q, R> {
    @Override
    @SuppressWarnings("unchecked") // As ClientCalls does it.
    public void beforeStart(ClientCallStreamObserver<Q> requests) {
      if (observer instanceof ClientResponseObserver<?, ?> starting) {
        ((ClientResponseObserver<Q, R>) starting).beforeStart(requests);
      }
    }

    @Override
    public void onNext(R message) {
      observer.onNext(message);
    }

    @Override
    public void onError(Throwable error) {
      observer.onError(error instanceof StatusRuntimeException e ? GatewayException.of(e) : error);
    }

    @Override
    public void onCompleted() {
      observer.onCompleted();
    }
  }
}
