package io.admingateway.client;

import static java.util.concurrent.TimeUnit.NANOSECONDS;

import com.google.protobuf.util.Durations;
import com.google.protobuf.util.Timestamps;
import io.admingateway.lease.v1.AcknowledgeLeaseRequest;
import io.admingateway.lease.v1.CreateLeaseRequest;
import io.admingateway.lease.v1.Lease;
import io.admingateway.lease.v1.LeaseServiceGrpc;
import io.admingateway.lease.v1.LeaseServiceGrpc.LeaseServiceBlockingStub;
import io.admingateway.lease.v1.RenewLeaseRequest;
import io.admingateway.lease.v1.RevokeLeaseRequest;
import io.admingateway.lease.v1.RotateLeaseRequest;
import io.grpc.Channel;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Supplier;

/**
 * The key of a lease, which is kept until it is closed: it is renewed at two thirds of its life,
 * and another lease takes its place in time. The vendor's SDK takes it:
 *
 * <pre>{@code
 * var request = CreateLeaseRequest.newBuilder().setRole("search-batch").build();
 * try (var key = LeasedKey.acquire(gateway.channel(), request, new LeasedKey.Listener() {})) {
 *   OpenAIOkHttpClient.builder().credential(BearerTokenCredential.create(key)).build();
 * }
 * }</pre>
 */
public final class LeasedKey implements Supplier<String>, AutoCloseable {
  private static final long CALL = TimeUnit.SECONDS.toNanos(30);
  private static final long CREATE = TimeUnit.MINUTES.toNanos(2);
  private static final long RELEASE = TimeUnit.SECONDS.toNanos(10);
  private static final long FIRST_PAUSE = TimeUnit.SECONDS.toNanos(1);
  private static final long LONGEST_PAUSE = TimeUnit.SECONDS.toNanos(30);
  private static final long SHORTEST_PAUSE = TimeUnit.MILLISECONDS.toNanos(50);
  private static final long SHORTEST_CALL = TimeUnit.SECONDS.toNanos(1);

  /** Hears of a lease, on the thread that keeps it. */
  public interface Listener {
    /** Another key takes the place of the one before, which works on for a while. */
    default void onKey(String key) {}

    /** There was an error, after which there is another attempt. */
    default void onError(RuntimeException error, Duration pause) {}
  }

  /** A lease and its end by this process's clock, or a little earlier. */
  private record Held(Lease lease, String secret, long ends, long life, boolean last) {
    long left() {
      return ends - System.nanoTime();
    }

    /** The lease after a renewal. Its end moved by as much as the gateway says. */
    Held renewed(Lease now, String secret) {
      long moved = nanos(lease.getExpiresAt(), checked(now, secret).getExpiresAt());
      return new Held(now, secret, ends + moved, life, atLatest(now));
    }

    Held over(boolean ended) {
      long end = ended ? Math.min(ends, System.nanoTime()) : ends;
      return new Held(lease, secret, end, life, true);
    }
  }

  private enum Verdict {
    AGAIN, // The same request may succeed later.
    ANEW, // Another request may.
    REFUSED
  }

  private final CreateLeaseRequest wanted;
  private final Listener listener;
  private final LeaseServiceBlockingStub stub;
  private final Thread keeper = new Thread(this::keep, "admin-gateway-lease");
  private final ReentrantLock turn = new ReentrantLock(); // One call about the lease at a time.
  private final List<Held> former = new ArrayList<>(); // Guarded by turn.
  private String requestId; // The lease that is asked for, and since when. Guarded by turn.
  private long askedAt;
  private volatile Held current;
  private volatile LeaseLost lost;
  private volatile boolean closed;

  private LeasedKey(Channel channel, CreateLeaseRequest wanted, Listener listener) {
    this.wanted = wanted;
    this.listener = listener;
    stub = LeaseServiceGrpc.newBlockingStub(channel);
    keeper.setDaemon(true);
  }

  /**
   * Gets a lease, or throws the refusal, or the last error after five minutes.
   *
   * @param channel that of a {@link Gateway}
   * @param wanted the role, and what else there is to say; its request id is drawn anew
   */
  public static LeasedKey acquire(Channel channel, CreateLeaseRequest wanted, Listener listener) {
    LeasedKey key = new LeasedKey(channel, wanted, listener);
    long end = System.nanoTime() + TimeUnit.MINUTES.toNanos(5);
    key.inTurn(
        () -> {
          key.persist(end, FIRST_PAUSE, left -> key.current = key.create(Math.min(CREATE, left)));
          key.acknowledge();
        });
    key.keeper.start();
    return key;
  }

  /** The key to use now. It throws {@link LeaseLost} when there is none any more. */
  @Override
  public String get() {
    LeaseLost none = lost;
    if (none != null) {
      throw none;
    }
    return current.secret;
  }

  /** The lease, as it was created or last renewed. */
  public Lease lease() {
    return current.lease;
  }

  /** Renews the lease now. It is renewed in time without it. */
  public void renew() {
    inTurn(this::renewNow);
  }

  /** Gives the lease another key. The one before works for the overlap, at most. */
  public void rotate(Duration overlap) {
    inTurn(
        () -> {
          var request =
              RotateLeaseRequest.newBuilder()
                  .setLeaseId(lease().getId())
                  .setRequestId(UUID.randomUUID().toString())
                  .setOverlap(Durations.fromNanos(overlap.toNanos()));
          var answer = in(CALL).rotateLease(request.build());
          current = current.renewed(answer.getLease(), answer.getSecret());
          arrived();
        });
  }

  /** Ends the lease, and revokes it within ten seconds. What cannot be revoked ends by itself. */
  @Override
  public void close() {
    if (closed) {
      return;
    }
    closed = true;
    keeper.interrupt();
    long end = System.nanoTime() + RELEASE;
    inTurn(
        () -> {
          former.add(current);
          former.removeIf(held -> held.left() <= 0);
          RuntimeException failed = null;
          for (Held held : former) {
            var request = RevokeLeaseRequest.newBuilder().setLeaseId(held.lease.getId()).build();
            try {
              persist(end, SHORTEST_PAUSE, left -> in(left).revokeLease(request));
            } catch (RuntimeException e) {
              failed = e;
            }
          }
          if (failed != null) {
            throw failed;
          }
        });
  }

  @Override
  public String toString() {
    return "lease " + lease().getId() + ", key " + lease().getApiKeyId();
  }

  private void arrived() {
    tell(() -> listener.onKey(current.secret));
    acknowledge();
  }

  private void onError(RuntimeException error, long pause) {
    tell(() -> listener.onError(error, Duration.ofNanos(pause)));
  }

  /** A listener that throws does not end the lease. */
  private static void tell(Runnable listener) {
    try {
      listener.run();
    } catch (RuntimeException e) {
      Thread thread = Thread.currentThread();
      thread.getUncaughtExceptionHandler().uncaughtException(thread, e);
    }
  }

  private void inTurn(Runnable calls) {
    turn.lock();
    try {
      calls.run();
    } finally {
      turn.unlock();
    }
  }

  private interface Call {
    void make(long left);
  }

  /** Makes a call until it succeeds, it is refused, or the time is over. */
  private void persist(long end, long pause, Call call) {
    while (true) {
      try {
        call.make(Math.max(end - System.nanoTime(), SHORTEST_CALL));
        return;
      } catch (RuntimeException e) {
        if (closed && isOver(e)) {
          return;
        }
        long wait = Math.max(jittered(pause), asked(e));
        if (judge(e) == Verdict.REFUSED || end - System.nanoTime() < wait) {
          throw e;
        }
        onError(e, wait);
        if (!sleep(wait)) {
          throw e;
        }
        pause = Math.min(2 * pause, LONGEST_PAUSE);
      }
    }
  }

  /** Asks for a lease once: by the same request until that is hopeless. */
  private Held create(long within) {
    if (requestId == null) {
      requestId = UUID.randomUUID().toString();
      askedAt = System.nanoTime(); // The lease was not created before, so it ends no earlier.
    }
    try {
      var answer = in(within).createLease(wanted.toBuilder().setRequestId(requestId).build());
      Lease lease = checked(answer.getLease(), answer.getSecret());
      long life = nanos(lease.getCreatedAt(), lease.getExpiresAt());
      requestId = null;
      return new Held(lease, answer.getSecret(), askedAt + life, life, atLatest(lease));
    } catch (RuntimeException e) {
      if (judge(e) == Verdict.ANEW) {
        requestId = null;
      }
      throw e;
    }
  }

  private void renewNow() {
    Held before = current;
    var request = RenewLeaseRequest.newBuilder().setLeaseId(before.lease.getId());
    if (wanted.hasTtl()) {
      request.setTtl(wanted.getTtl());
    }
    Lease now = in(within(CALL, before.left() / 3)).renewLease(request.build()).getLease();
    Held after = before.renewed(now, before.secret);
    if (!now.getApiKeyId().equals(before.lease.getApiKeyId())) {
      throw new IllegalStateException("somebody else has the key of the lease");
    }
    current = after.ends <= before.ends ? after.over(false) : after;
  }

  /** Puts another lease in the place of this one, which is left to its end. */
  private void replace() {
    long left = current.left();
    Held next = create(left > 0 ? within(CREATE, left / 3) : CREATE);
    former.add(current);
    former.removeIf(held -> held.left() <= 0);
    current = next;
    arrived();
  }

  /** Lets the gateway forget the secret. If it fails, the first renewal says the same. */
  private void acknowledge() {
    var request = AcknowledgeLeaseRequest.newBuilder().setLeaseId(lease().getId()).build();
    try {
      in(within(CALL, current.left() / 10)).acknowledgeLease(request);
    } catch (GatewayException e) {
      onError(e, 0);
    }
  }

  private void keep() {
    long pause = FIRST_PAUSE;
    long wait = untilRenewal();
    while (sleep(wait) && !closed) {
      try {
        inTurn(current.last ? this::replace : this::renewNow);
        pause = FIRST_PAUSE;
        wait = untilRenewal();
      } catch (RuntimeException e) {
        long left = current.left();
        if (!current.last && (left <= 0 || isOver(e))) {
          inTurn(() -> current = current.over(true));
          wait = 0; // Another lease is asked for.
        } else if (left <= 0 && judge(e) == Verdict.REFUSED) {
          lost = new LeaseLost(lease().getId(), e);
          onError(lost, 0);
          return;
        } else {
          wait = untilAttempt(asked(e), pause, left);
          pause = Math.min(2 * pause, LONGEST_PAUSE);
        }
        onError(e, wait);
      }
    }
  }

  /** A third of the life is left then for attempts that fail, and up to a fifteenth more. */
  private long untilRenewal() {
    long left = current.left();
    double part = 1.0 / 3 + ThreadLocalRandom.current().nextDouble() / 15;
    return Math.max(left - (long) (Math.max(left, current.life) * part), SHORTEST_PAUSE);
  }

  /** There is an attempt at the end of the lease, whatever the gateway asks for. */
  private static long untilAttempt(long asked, long pause, long left) {
    if (left <= 0) {
      return Math.max(jittered(pause), asked);
    }
    long wait = Math.max(Math.min(jittered(pause), left / 4), asked);
    return Math.max(Math.min(wait, left), SHORTEST_PAUSE);
  }

  private LeaseServiceBlockingStub in(long nanos) {
    return stub.withDeadlineAfter(nanos, NANOSECONDS);
  }

  private static long within(long most, long part) {
    return Math.min(most, Math.max(part, SHORTEST_CALL));
  }

  private static long jittered(long pause) {
    return pause / 2 + ThreadLocalRandom.current().nextLong(pause / 2);
  }

  private static boolean sleep(long nanos) {
    try {
      NANOSECONDS.sleep(nanos);
      return true;
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return false;
    }
  }

  private static Lease checked(Lease lease, String secret) {
    if (secret.isEmpty() || !lease.hasCreatedAt() || !lease.hasExpiresAt()) {
      throw new IllegalStateException("the answer has no secret, or does not say when it ends");
    }
    return lease;
  }

  private static boolean atLatest(Lease lease) {
    return lease.hasMaxExpiresAt()
        && Timestamps.compare(lease.getExpiresAt(), lease.getMaxExpiresAt()) >= 0;
  }

  private static long nanos(com.google.protobuf.Timestamp from, com.google.protobuf.Timestamp to) {
    return Durations.toNanos(Timestamps.between(from, to));
  }

  private static long asked(RuntimeException error) {
    return error instanceof GatewayException e ? e.retryDelay().orElse(Duration.ZERO).toNanos() : 0;
  }

  private static Verdict judge(RuntimeException error) {
    if (!(error instanceof GatewayException e)) {
      return Verdict.ANEW; // An answer without what it should have.
    }
    if (e.reason().isEmpty()) { // It comes from between, and says nothing about the request.
      return Verdict.AGAIN;
    }
    return switch (e.code()) {
      case UNAVAILABLE, RESOURCE_EXHAUSTED, DEADLINE_EXCEEDED, CANCELLED -> Verdict.AGAIN;
      case ABORTED, UNKNOWN -> Verdict.ANEW;
      default -> e.reason().equals("LEASE_OVER") ? Verdict.ANEW : Verdict.REFUSED;
    };
  }

  /** Whether the lease cannot be renewed any more: it is over, or somebody else has its key. */
  private static boolean isOver(RuntimeException error) {
    return !(error instanceof GatewayException e)
        || e.reason().equals("LEASE_OVER")
        || e.reason().equals("LEASE_NOT_FOUND");
  }
}
