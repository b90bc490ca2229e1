package io.admingateway.client;

import com.google.protobuf.Descriptors.FieldDescriptor;
import com.google.protobuf.Message;
import com.google.protobuf.util.Durations;
import io.admingateway.inventory.v1.End;
import io.admingateway.inventory.v1.Failure;
import io.admingateway.inventory.v1.Incomplete;
import io.admingateway.inventory.v1.Incomplete.Reason;
import io.admingateway.inventory.v1.Progress;
import io.grpc.Context;
import io.grpc.Deadline;
import io.grpc.Status;
import io.grpc.stub.AbstractStub;
import io.grpc.stub.ClientCallStreamObserver;
import io.grpc.stub.ClientResponseObserver;
import io.grpc.stub.StreamObserver;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.NoSuchElementException;
import java.util.Queue;
import java.util.Set;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;

/**
 * The pages of an inventory, all of them: where the stream is cut off, or the gateway ends it
 * early, it is called again with the resume token.
 *
 * <pre>{@code
 * var stub = InventoryServiceGrpc.newStub(gateway.channel());
 * try (var pages = Inventory.of(stub, InventoryServiceStub::listApiKeys, request)) {
 *   for (var page : pages) {
 *     page.getKeys().getItemsList().forEach(System.out::println);
 *   }
 * }
 * }</pre>
 *
 * A page is passed on when it lies ahead of a resume token, about a second after it came, and so
 * each comes once. The iterator ends with the whole, or throws the error of a call that was refused
 * for good, or {@link IncompleteInventory}. It is read once, by one thread.
 *
 * @param <M> the messages of the stream
 */
public final class Inventory<M extends Message> implements Iterable<M>, Iterator<M>, AutoCloseable {
  private static final int ATTEMPTS = 6; // In a row, that bring nothing.
  private static final Duration SILENCE = Duration.ofSeconds(30); // Progress comes each second.
  private static final int MAX_STREAMS = 1000;
  private static final int MAX_HELD = 4096;
  private static final int MAX_FAILURES = 1000;
  private static final Duration FIRST_PAUSE = Duration.ofMillis(250);
  private static final Duration LONGEST_PAUSE = Duration.ofSeconds(30);
  private static final Set<String> LASTING =
      Set.of("ENDLESS_LIST", "UPSTREAM_BAD_RESPONSE", "UPSTREAM_REDIRECTED");

  /** A method of the asynchronous stub. */
  @FunctionalInterface
  public interface Call<S, Q, M> {
    /** Calls the method. */
    void call(S stub, Q request, StreamObserver<M> observer);
  }

  private enum Next {
    NEVER, // Asking again brings nothing.
    AT_ONCE,
    LATER
  }

  private final Deadline deadline;
  private final Consumer<Stream> open;
  private Consumer<Progress> onProgress = progress -> {};
  private Consumer<Failure> onFailure = failure -> {};

  /** How long a stream may say nothing before it counts as cut off. */
  Duration silence = SILENCE;

  private Stream stream;
  private final Queue<M> ready = new ArrayDeque<>();
  private List<M> held = new ArrayList<>(); // The pages behind the last token.
  private boolean passed; // Whether some of those were passed on.
  private boolean over;
  private RuntimeException error;
  private int streams;
  private int fruitless;
  private long came;
  private long cameBefore;

  // What is missing, as far as it is known.
  private String token;
  private boolean repeats;
  private List<Reason> reasons = List.of();
  private List<Failure> failures = new ArrayList<>();
  private long moreFailures;
  private boolean passing; // Whether a failed read can succeed later, and after how long.
  private Duration asked = Duration.ZERO;

  private <S extends AbstractStub<S>, Q extends Message> Inventory(
      S stub, Call<S, Q, M> call, Q request) {
    FieldDescriptor field = request.getDescriptorForType().findFieldByName("resume_token");
    if (field == null) {
      throw new InvalidConfig("request", "not that of an inventory", null);
    }
    token = (String) request.getField(field);
    Deadline own = stub.getCallOptions().getDeadline();
    Deadline callers = Context.current().getDeadline();
    deadline = own == null ? callers : callers == null ? own : own.minimum(callers);
    @SuppressWarnings("unchecked") // A builder builds messages of its own class.
    Consumer<Stream> open =
        next -> call.call(stub, (Q) request.toBuilder().setField(field, token).build(), next);
    this.open = open;
  }

  /**
   * Walks an inventory, from the request's resume token or from the beginning.
   *
   * @param stub the asynchronous stub, with the deadline of the whole if there is one
   * @param call its method, such as {@code InventoryServiceStub::listApiKeys}
   */
  public static <S extends AbstractStub<S>, Q extends Message, M extends Message> Inventory<M> of(
      S stub, Call<S, Q, M> call, Q request) {
    return new Inventory<>(stub, call, request);
  }

  /** Gets the progress, whose counts begin anew with each stream. */
  public Inventory<M> onProgress(Consumer<Progress> onProgress) {
    this.onProgress = onProgress;
    return this;
  }

  /** Gets each read that failed. It may still succeed. */
  public Inventory<M> onFailure(Consumer<Failure> onFailure) {
    this.onFailure = onFailure;
    return this;
  }

  @Override
  public Iterator<M> iterator() {
    return this;
  }

  @Override
  public boolean hasNext() {
    while (ready.isEmpty() && !over) {
      advance();
    }
    if (ready.isEmpty() && error != null) {
      throw error;
    }
    return !ready.isEmpty();
  }

  @Override
  public M next() {
    if (!hasNext()) {
      throw new NoSuchElementException();
    }
    return ready.remove();
  }

  /** Ends the stream. */
  @Override
  public void close() {
    over = true;
    ready.clear();
    if (stream != null) {
      stream.calls.cancel("the inventory was closed", null);
    }
  }

  /** Takes the next thing that a stream brings. */
  private void advance() {
    if (stream == null) {
      streams++;
      cameBefore = came;
      stream = new Stream();
      open.accept(stream);
    }
    Object got;
    try {
      got = stream.came.poll(silence.toNanos(), TimeUnit.NANOSECONDS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      stream.calls.cancel("interrupted", e);
      conclude(Next.NEVER, new RuntimeException("interrupted", e));
      return;
    }
    if (got instanceof RuntimeException broken) {
      conclude(passes(broken) ? Next.LATER : Next.NEVER, broken);
    } else if (got == null) {
      stream.calls.cancel("silent", null);
      conclude(Next.LATER, cut("the stream said nothing for " + silence));
    } else {
      @SuppressWarnings("unchecked") // There is nothing else in the queue.
      M message = (M) got;
      take(message);
    }
  }

  private void take(M message) {
    if (stream.first) { // It reads again what had failed.
      stream.first = false;
      reasons = List.of();
      failures = new ArrayList<>();
      moreFailures = 0;
      passing = false;
      asked = Duration.ZERO;
    }
    if (part(message, "progress") instanceof Progress progress) {
      onProgress.accept(progress);
      if (!progress.getResumeToken().isEmpty()) {
        release(progress.getResumeToken(), progress.getRepeats());
      }
    } else if (part(message, "failure") instanceof Failure failure) {
      failed(failure);
    } else if (part(message, "end") instanceof End end) {
      release(end.getIncomplete().getResumeToken(), end.getIncomplete().getRepeats());
      stream.end();
      over = !end.hasIncomplete();
      if (!over) {
        conclude(ended(end.getIncomplete()), null);
      }
      return;
    } else {
      held.add(message);
      if (held.size() > MAX_HELD) {
        passed = true;
        pass();
      }
    }
    stream.calls.request(1);
  }

  private Object part(M message, String name) {
    FieldDescriptor field = message.getDescriptorForType().findFieldByName(name);
    return field != null && message.hasField(field) ? message.getField(field) : null;
  }

  private void failed(Failure failure) {
    onFailure.accept(failure);
    if (failures.size() < MAX_FAILURES) {
      failures.add(failure);
    } else {
      moreFailures++;
    }
    boolean passes =
        switch (Status.fromCodeValue(failure.getCode()).getCode()) {
          case UNAVAILABLE, RESOURCE_EXHAUSTED, ABORTED, DEADLINE_EXCEEDED ->
              !LASTING.contains(failure.getReason());
          default -> false;
        };
    if (passes) {
      passing = true;
      asked = longer(asked, Duration.ofNanos(Durations.toNanos(failure.getRetryDelay())));
    }
  }

  private void release(String token, boolean repeats) {
    this.token = token;
    this.repeats |= repeats;
    passed = false;
    pass();
  }

  private void pass() {
    came += held.size();
    ready.addAll(held);
    held = new ArrayList<>();
  }

  private Next ended(Incomplete incomplete) {
    reasons = incomplete.getReasonsList();
    boolean outOfTime = reasons.contains(Reason.REASON_OUT_OF_TIME);
    if (incomplete.getResumeToken().isEmpty()) {
      return Next.NEVER;
    } else if (outOfTime && left() < TimeUnit.SECONDS.toNanos(10)) {
      return Next.NEVER; // It was the caller's time.
    } else if (reasons.contains(Reason.REASON_DRAINING) || passing) {
      return Next.LATER;
    }
    return outOfTime || reasons.contains(Reason.REASON_TOO_MANY) ? Next.AT_ONCE : Next.NEVER;
  }

  /** Decides what follows on a stream. */
  private void conclude(Next next, RuntimeException cause) {
    stream = null;
    held = new ArrayList<>(); // They come again.
    repeats |= passed;
    passed = false;
    fruitless = came > cameBefore ? 0 : fruitless + 1;
    boolean gone =
        left() <= 0 || Context.current().isCancelled() || Thread.currentThread().isInterrupted();
    if (next == Next.NEVER && cause != null && streams == 1 && came == 0 && !gone) {
      over = true;
      error = cause;
    } else if (gone
        || next == Next.NEVER
        || fruitless >= ATTEMPTS
        || streams >= MAX_STREAMS
        || next == Next.LATER && !pause(cause)) {
      over = true;
      error =
          new IncompleteInventory(
              new IncompleteInventory.Missing(
                  reasons, List.copyOf(failures), moreFailures, token, repeats),
              cause);
    }
  }

  /** Waits ahead of the next stream, if there is time for it. */
  private boolean pause(RuntimeException cause) {
    long most = FIRST_PAUSE.toNanos() << Math.min(Math.max(fruitless - 1, 0), 20);
    most = Math.min(most, LONGEST_PAUSE.toNanos());
    Duration wait = Duration.ofNanos(most / 2 + ThreadLocalRandom.current().nextLong(most / 2));
    if (cause instanceof GatewayException refused) {
      wait = longer(wait, refused.retryDelay().orElse(Duration.ZERO));
    }
    wait = longer(wait, asked);
    if (left() < wait.toNanos()) {
      return false;
    }
    try {
      TimeUnit.NANOSECONDS.sleep(wait.toNanos());
      return true;
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return false;
    }
  }

  private long left() {
    return deadline == null ? Long.MAX_VALUE : deadline.timeRemaining(TimeUnit.NANOSECONDS);
  }

  private static Duration longer(Duration one, Duration other) {
    return one.compareTo(other) < 0 ? other : one;
  }

  private static RuntimeException cut(String how) {
    return GatewayException.of(Status.UNAVAILABLE.withDescription(how), null);
  }

  /** Whether an error can be gone at the next attempt: an error without a reason is not theirs. */
  private static boolean passes(RuntimeException error) {
    return error instanceof GatewayException e
        && switch (e.code()) {
          case UNAVAILABLE, RESOURCE_EXHAUSTED -> true;
          case INTERNAL, UNKNOWN, CANCELLED, DEADLINE_EXCEEDED, DATA_LOSS -> e.reason().isEmpty();
          default -> false;
        };
  }

  /** One stream. It asks for one message at a time, so that the queue has two things at most. */
  private final class Stream implements ClientResponseObserver<Message, M> {
    private final BlockingQueue<Object> came = new LinkedBlockingQueue<>(2);
    private ClientCallStreamObserver<Message> calls;
    private boolean first = true;

    @Override
    public void beforeStart(ClientCallStreamObserver<Message> calls) {
      this.calls = calls;
      calls.disableAutoRequestWithInitial(1);
    }

    /** Lets the gateway end the call after its last message, which else counts as canceled. */
    void end() {
      calls.request(1);
      try {
        came.poll(1, TimeUnit.SECONDS);
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
      }
      calls.cancel("the end has come", null);
    }

    @Override
    public void onNext(M message) {
      came.add(message);
    }

    @Override
    public void onError(Throwable error) {
      came.add(error instanceof RuntimeException e ? e : new RuntimeException(error));
    }

    @Override
    public void onCompleted() {
      came.add(cut("the stream was cut off"));
    }
  }
}
