package io.admingateway.client;

import com.google.protobuf.util.Durations;
import com.google.protobuf.util.Timestamps;
import io.admingateway.lease.v1.AcknowledgeLeaseRequest;
import io.admingateway.lease.v1.CreateLeaseRequest;
import io.admingateway.lease.v1.CreateLeaseResponse;
import io.admingateway.lease.v1.LeaseServiceGrpc;
import io.admingateway.lease.v1.LeaseServiceGrpc.LeaseServiceBlockingStub;
import io.admingateway.lease.v1.RenewLeaseRequest;
import io.admingateway.lease.v1.RevokeLeaseRequest;
import io.admingateway.lease.v1.RotateLeaseRequest;
import io.grpc.Channel;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.BiConsumer;
import java.util.function.Consumer;
import java.util.function.Supplier;

/**
 * A lease of a role: a key that ends by itself, kept until it is closed. It is renewed at two
 * thirds of its life, and another one takes its place in time. With the vendor's SDK:
 *
 * <pre>{@code
 * try (Lease lease = Lease.builder(gateway.channel(), "search-batch").acquire()) {
 *   var openai = OpenAIOkHttpClient.builder().credential(BearerTokenCredential.create(lease)).build();
 * }
 * }</pre>
 */
public final class Lease implements Supplier<String>, AutoCloseable {
  private static final Duration CALL = Duration.ofSeconds(30);
  private static final Duration CREATE = Duration.ofMinutes(2);
  private static final Duration RELEASE = Duration.ofSeconds(10);
  private static final long FIRST_PAUSE = TimeUnit.SECONDS.toNanos(1);
  private static final long LONGEST_PAUSE = TimeUnit.SECONDS.toNanos(30);
  private static final long SHORTEST_PAUSE = TimeUnit.MILLISECONDS.toNanos(50);
  private static final long SHORTEST_CALL = TimeUnit.SECONDS.toNanos(1);

  /** A lease and its end by this process's clock, or a little earlier. */
  private record Held(
      io.admingateway.lease.v1.Lease lease, String secret, long ends, long life, boolean last) {
    long left() {
      return ends - System.nanoTime();
    }

    /** The lease after an answer. Its end moved by as much as the gateway says. */
    Held after(io.admingateway.lease.v1.Lease now, String secret) {
      if (!now.hasExpiresAt()) {
        throw new IllegalStateException("the answer does not say when the lease ends");
      }
      long moved = nanos(lease, now);
      return new Held(now, secret, ends + moved, life, moved <= 0 || atLatest(now));
    }

    static boolean atLatest(io.admingateway.lease.v1.Lease lease) {
      return lease.hasMaxExpiresAt()
          && Timestamps.compare(lease.getExpiresAt(), lease.getMaxExpiresAt()) >= 0;
    }

    private static long nanos(
        io.admingateway.lease.v1.Lease from, io.admingateway.lease.v1.Lease to) {
      return Durations.toNanos(Timestamps.between(from.getExpiresAt(), to.getExpiresAt()));
    }
  }

  private enum Verdict {
    AGAIN, // The same request may succeed later.
    ANEW, // Another request may.
    REFUSED
  }

  /** Somebody else has the key of the lease now. */
  private static final class OtherKey extends IllegalStateException {
    private static final long serialVersionUID = 1;
  }

  private final Builder wanted;
  private final LeaseServiceBlockingStub stub;
  private final Thread keeper = new Thread(this::keep, "admin-gateway-lease");
  private final ReentrantLock turn = new ReentrantLock(); // One call about the lease at a time.
  private final List<Held> former = new ArrayList<>(); // Guarded by turn.
  private String requestId; // The lease that is asked for, and since when. Guarded by turn.
  private long askedAt;
  private volatile Held current;
  private volatile LeaseLost lost;
  private volatile boolean closed;

  private Lease(Builder wanted) {
    this.wanted = wanted;
    stub = LeaseServiceGrpc.newBlockingStub(wanted.channel);
    keeper.setDaemon(true);
  }

  /**
   * Says which lease to get.
   *
   * @param channel that of a {@link Gateway}
   * @param role the role, as the policy names it
   */
  public static Builder builder(Channel channel, String role) {
    return new Builder(channel, role);
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
  public io.admingateway.lease.v1.Lease lease() {
    return current.lease;
  }

  /** Renews the lease now. It is renewed in time without it. */
  public void renew() {
    turn.lock();
    try {
      renewNow();
    } finally {
      turn.unlock();
    }
  }

  /** Gives the lease another key. The one before works for the overlap, at most. */
  public void rotate(Duration overlap) {
    turn.lock();
    try {
      Held before = current;
      var answer =
          in(CALL.toNanos())
              .rotateLease(
                  RotateLeaseRequest.newBuilder()
                      .setLeaseId(before.lease.getId())
                      .setRequestId(UUID.randomUUID().toString())
                      .setOverlap(Durations.fromNanos(overlap.toNanos()))
                      .build());
      Held after = before.after(answer.getLease(), secret(answer.getSecret()));
      boolean last = Held.atLatest(after.lease); // That its end stays says nothing here.
      current = new Held(after.lease, after.secret, after.ends, after.life, last);
      arrived();
    } finally {
      turn.unlock();
    }
  }

  /** Ends the lease, and revokes it within ten seconds. What cannot be revoked ends by itself. */
  @Override
  public void close() {
    if (closed) {
      return;
    }
    closed = true;
    keeper.interrupt();
    long end = System.nanoTime() + RELEASE.toNanos();
    turn.lock();
    try {
      former.add(current);
      RuntimeException failure = null;
      for (Held held : former) {
        try {
          if (held.left() > 0) {
            revoke(held.lease.getId(), end);
          }
        } catch (RuntimeException e) {
          failure = e;
        }
      }
      if (failure != null) {
        throw failure;
      }
    } finally {
      turn.unlock();
    }
  }

  @Override
  public String toString() {
    Held held = current;
    return "lease " + held.lease.getId() + ", key " + held.lease.getApiKeyId();
  }

  private void revoke(String id, long end) {
    for (long pause = SHORTEST_PAUSE; ; pause *= 2) {
      try {
        long left = Math.max(end - System.nanoTime(), SHORTEST_CALL);
        in(left).revokeLease(RevokeLeaseRequest.newBuilder().setLeaseId(id).build());
        return;
      } catch (GatewayException e) {
        if (isOver(e)) {
          return;
        }
        long wait = Math.max(jittered(pause), asked(e));
        if (judge(e) == Verdict.REFUSED || end - System.nanoTime() < wait || !sleep(wait)) {
          throw e;
        }
      }
    }
  }

  /** Gets the first lease. */
  private void acquire(Duration within) {
    long end = System.nanoTime() + within.toNanos();
    turn.lock();
    try {
      for (long pause = FIRST_PAUSE; ; pause = Math.min(2 * pause, LONGEST_PAUSE)) {
        try {
          long left = Math.max(end - System.nanoTime(), SHORTEST_CALL);
          current = create(Math.min(CREATE.toNanos(), left));
          break;
        } catch (RuntimeException e) {
          long wait = Math.max(jittered(pause), asked(e));
          if (judge(e) == Verdict.REFUSED || end - System.nanoTime() < wait) {
            throw e;
          }
          wanted.onError.accept(e, Duration.ofNanos(wait));
          if (!sleep(wait)) {
            throw e;
          }
        }
      }
      acknowledge();
    } finally {
      turn.unlock();
    }
    keeper.start();
  }

  /** Asks for a lease once: by the same request until that is hopeless. */
  private Held create(long within) {
    if (requestId == null) {
      requestId = UUID.randomUUID().toString();
      askedAt = System.nanoTime(); // The lease was not created before, so it ends no earlier.
    }
    try {
      var request =
          CreateLeaseRequest.newBuilder()
              .setRole(wanted.role)
              .setRequestId(requestId)
              .setHolder(wanted.holder)
              .putAllLabels(wanted.labels);
      if (wanted.ttl != null) {
        request.setTtl(Durations.fromNanos(wanted.ttl.toNanos()));
      }
      CreateLeaseResponse answer = in(within).createLease(request.build());
      var lease = answer.getLease();
      String secret = secret(answer.getSecret());
      if (!lease.hasCreatedAt() || !lease.hasExpiresAt()) {
        throw new IllegalStateException("the answer does not say when the lease ends");
      }
      long life = Durations.toNanos(Timestamps.between(lease.getCreatedAt(), lease.getExpiresAt()));
      requestId = null;
      return new Held(lease, secret, askedAt + life, life, Held.atLatest(lease));
    } catch (RuntimeException e) {
      if (judge(e) == Verdict.ANEW) {
        requestId = null;
      }
      throw e;
    }
  }

  private static String secret(String secret) {
    if (secret.isEmpty()) {
      throw new IllegalStateException("the answer has no secret");
    }
    return secret;
  }

  private void renewNow() {
    Held before = current;
    var request = RenewLeaseRequest.newBuilder().setLeaseId(before.lease.getId());
    if (wanted.ttl != null) {
      request.setTtl(Durations.fromNanos(wanted.ttl.toNanos()));
    }
    var now = in(within(CALL, before.left() / 3)).renewLease(request.build()).getLease();
    if (!now.getApiKeyId().equals(before.lease.getApiKeyId())) {
      throw new OtherKey();
    }
    current = before.after(now, before.secret);
  }

  /** Puts another lease in the place of this one, which is left to its end. */
  private void replace() {
    long left = current.left();
    Held next = create(left > 0 ? within(CREATE, left / 3) : CREATE.toNanos());
    former.add(current);
    former.removeIf(held -> held.left() <= 0);
    current = next;
    arrived();
  }

  private void arrived() {
    wanted.onKey.accept(get());
    acknowledge();
  }

  /** Lets the gateway forget the secret. The first renewal says the same. */
  private void acknowledge() {
    try {
      var request = AcknowledgeLeaseRequest.newBuilder().setLeaseId(current.lease.getId()).build();
      stub.withDeadlineAfter(within(CALL, current.left() / 10), TimeUnit.NANOSECONDS)
          .acknowledgeLease(request);
    } catch (GatewayException e) {
      // It does no harm.
    }
  }

  private void keep() {
    long pause = FIRST_PAUSE;
    long wait = untilRenewal();
    while (!closed && sleep(wait)) {
      RuntimeException error = null;
      Held held;
      turn.lock();
      try {
        if (!closed) {
          if (current.last) {
            replace();
          } else {
            renewNow();
          }
        }
      } catch (RuntimeException e) {
        error = e;
      } finally {
        held = current;
        turn.unlock();
      }
      if (closed) {
        return;
      }
      long left = held.left();
      if (error == null) {
        pause = FIRST_PAUSE;
        wait = untilRenewal();
        continue;
      }
      if (!held.last && (left <= 0 || isOver(error))) {
        long ends = Math.min(left, 0) + System.nanoTime();
        current = new Held(held.lease, held.secret, ends, held.life, true);
        wait = 0; // Another lease is asked for.
      } else if (left <= 0 && judge(error) == Verdict.REFUSED) {
        lost = new LeaseLost(held.lease.getId(), error);
        wanted.onError.accept(lost, Duration.ZERO);
        return;
      } else {
        wait = untilAttempt(asked(error), pause, left);
        pause = Math.min(2 * pause, LONGEST_PAUSE);
      }
      wanted.onError.accept(error, Duration.ofNanos(wait));
    }
  }

  /** A third of the life is left then for attempts that fail, and up to a fifteenth more. */
  private long untilRenewal() {
    Held held = current;
    long left = held.left();
    double part = 1.0 / 3 + ThreadLocalRandom.current().nextDouble() / 15;
    return Math.max(left - (long) (Math.max(left, held.life) * part), SHORTEST_PAUSE);
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
    return stub.withDeadlineAfter(nanos, TimeUnit.NANOSECONDS);
  }

  private static long within(Duration most, long part) {
    return Math.min(most.toNanos(), Math.max(part, SHORTEST_CALL));
  }

  private static long jittered(long pause) {
    return pause / 2 + ThreadLocalRandom.current().nextLong(pause / 2);
  }

  private static boolean sleep(long nanos) {
    try {
      TimeUnit.NANOSECONDS.sleep(nanos);
      return true;
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return false;
    }
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

  /** Whether the lease cannot be renewed any more. */
  private static boolean isOver(RuntimeException error) {
    return error instanceof OtherKey
        || error instanceof GatewayException e
            && (e.reason().equals("LEASE_OVER") || e.reason().equals("LEASE_NOT_FOUND"));
  }

  /** Which lease to get. */
  public static final class Builder {
    private final Channel channel;
    private final String role;
    private Duration ttl;
    private String holder = "";
    private Map<String, String> labels = Map.of();
    private Consumer<String> onKey = key -> {};
    private BiConsumer<RuntimeException, Duration> onError = (error, pause) -> {};

    private Builder(Channel channel, String role) {
      this.channel = channel;
      this.role = role;
    }

    /** How long the lease lives without a renewal: as long as the role says unless set. */
    public Builder ttl(Duration ttl) {
      this.ttl = ttl;
      return this;
    }

    /** Whom the lease is for, if not the caller itself. */
    public Builder holder(String holder) {
      this.holder = holder;
      return this;
    }

    /** What the lease is for. None is a secret. */
    public Builder labels(Map<String, String> labels) {
      this.labels = Map.copyOf(labels);
      return this;
    }

    /** Gets each key that takes the place of the one before, which works on for a while. */
    public Builder onKey(Consumer<String> onKey) {
      this.onKey = onKey;
      return this;
    }

    /** Gets each error after which there is another attempt, and the time until then. */
    public Builder onError(BiConsumer<RuntimeException, Duration> onError) {
      this.onError = onError;
      return this;
    }

    /** Gets the lease, or throws the refusal, or the last error after five minutes. */
    public Lease acquire() {
      return acquire(Duration.ofMinutes(5));
    }

    /** The same within another time. */
    public Lease acquire(Duration within) {
      Lease lease = new Lease(this);
      lease.acquire(within);
      return lease;
    }
  }
}
