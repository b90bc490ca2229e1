package io.admingateway.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.protobuf.Any;
import com.google.protobuf.Message;
import com.google.protobuf.util.Durations;
import com.google.protobuf.util.Timestamps;
import com.google.rpc.ErrorInfo;
import com.google.rpc.RetryInfo;
import io.admingateway.admin.v1.CreateGroupRequest;
import io.admingateway.admin.v1.CreateGroupResponse;
import io.admingateway.admin.v1.Group;
import io.admingateway.admin.v1.GroupServiceGrpc;
import io.admingateway.admin.v1.ListGroupsRequest;
import io.admingateway.admin.v1.ListGroupsResponse;
import io.admingateway.client.EndlessList.Reason;
import io.admingateway.inventory.v1.Complete;
import io.admingateway.inventory.v1.End;
import io.admingateway.inventory.v1.Failure;
import io.admingateway.inventory.v1.Incomplete;
import io.admingateway.inventory.v1.InventoryServiceGrpc;
import io.admingateway.inventory.v1.InventoryServiceGrpc.InventoryServiceStub;
import io.admingateway.inventory.v1.ListApiKeysRequest;
import io.admingateway.inventory.v1.ListApiKeysResponse;
import io.admingateway.inventory.v1.Progress;
import io.admingateway.lease.v1.AcknowledgeLeaseRequest;
import io.admingateway.lease.v1.AcknowledgeLeaseResponse;
import io.admingateway.lease.v1.CreateLeaseRequest;
import io.admingateway.lease.v1.CreateLeaseResponse;
import io.admingateway.lease.v1.Lease;
import io.admingateway.lease.v1.LeaseServiceGrpc;
import io.admingateway.lease.v1.RenewLeaseRequest;
import io.admingateway.lease.v1.RenewLeaseResponse;
import io.admingateway.lease.v1.RevokeLeaseRequest;
import io.admingateway.lease.v1.RevokeLeaseResponse;
import io.grpc.Grpc;
import io.grpc.InsecureServerCredentials;
import io.grpc.Metadata;
import io.grpc.Server;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.ServerInterceptor;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.protobuf.StatusProto;
import io.grpc.stub.StreamObserver;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Function;
import java.util.function.Supplier;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** What a gateway that works does not show: a server with a script for each call. */
@Timeout(20)
final class ClientTest {
  private static final Metadata.Key<String> KEY = GatewayException.key("idempotency-key");

  /** The headers of the calls that came, and the answers to give: the last one again. */
  private final List<Metadata> calls = new CopyOnWriteArrayList<>();

  private final List<Message> requests = new CopyOnWriteArrayList<>();
  private final Queue<Supplier<List<? extends Message>>> script = new ConcurrentLinkedQueue<>();
  private final AtomicInteger leases = new AtomicInteger();
  private final List<String> revoked = new CopyOnWriteArrayList<>();
  private volatile StatusRuntimeException refusal;
  private Server server;

  @BeforeEach
  void start() throws Exception {
    server =
        Grpc.newServerBuilderForPort(0, InsecureServerCredentials.create())
            .addService(new Groups())
            .addService(new Inventories())
            .addService(new Leases())
            .intercept(new Calls())
            .build()
            .start();
  }

  @AfterEach
  void stop() throws Exception {
    server.shutdownNow().awaitTermination(5, TimeUnit.SECONDS);
  }

  private Gateway.Builder gateway() {
    return Gateway.builder("http://127.0.0.1:" + server.getPort()).token("secret");
  }

  @Test
  void readsAreRepeated() {
    answer(error(Status.Code.UNAVAILABLE, "X", 0), error(Status.Code.RESOURCE_EXHAUSTED, "X", 1));
    script.add(() -> List.of(ListGroupsResponse.getDefaultInstance()));
    try (Gateway gateway = gateway().connect()) {
      GroupServiceGrpc.newBlockingStub(gateway.channel())
          .listGroups(ListGroupsRequest.getDefaultInstance());
    }
    assertEquals(3, calls.size());
    assertFalse(calls.get(0).containsKey(KEY));
  }

  @Test
  void attemptsAreBounded() {
    answer(error(Status.Code.UNAVAILABLE, "X", 0));
    try (Gateway gateway = gateway().attempts(3).connect()) {
      assertThrows(Unavailable.class, () -> list(gateway));
    }
    assertEquals(3, calls.size());
  }

  @Test
  void aPauseThatOutlastsTheDeadlineIsNotBegun() {
    answer(error(Status.Code.RESOURCE_EXHAUSTED, "X", 60_000));
    long start = System.nanoTime();
    try (Gateway gateway = gateway().connect()) {
      var error = assertThrows(ResourceExhausted.class, () -> list(gateway));
      assertEquals(Duration.ofSeconds(60), error.retryDelay().orElseThrow());
    }
    assertTrue(System.nanoTime() - start < TimeUnit.SECONDS.toNanos(10));
    assertEquals(1, calls.size());
  }

  @Test
  void whatLastsIsNotRepeated() {
    answer(error(Status.Code.UNAVAILABLE, "UPSTREAM_BAD_RESPONSE", 0));
    try (Gateway gateway = gateway().connect()) {
      assertThrows(Unavailable.class, () -> list(gateway));
    }
    assertEquals(1, calls.size());
  }

  @Test
  void aWriteIsRepeatedWithItsKey() {
    answer(error(Status.Code.UNAVAILABLE, "X", 0));
    script.add(() -> List.of(CreateGroupResponse.getDefaultInstance()));
    try (Gateway gateway = gateway().connect()) {
      create(gateway);
    }
    assertEquals(2, calls.size());
    assertEquals(calls.get(0).get(KEY), calls.get(1).get(KEY));
    assertEquals(36, calls.get(0).get(KEY).length());
  }

  @Test
  void aWriteWithoutAKeyIsMadeOnce() {
    answer(error(Status.Code.UNAVAILABLE, "X", 0));
    try (Gateway gateway = gateway().idempotencyKeys(false).connect()) {
      assertThrows(Unavailable.class, () -> create(gateway));
    }
    assertEquals(1, calls.size());
    assertFalse(calls.get(0).containsKey(KEY));
  }

  @Test
  void aGatewayWithoutKeysGetsNone() {
    answer(
        error(Status.Code.FAILED_PRECONDITION, "IDEMPOTENCY_NOT_CONFIGURED", 0),
        error(Status.Code.UNAVAILABLE, "X", 0));
    try (Gateway gateway = gateway().connect()) {
      assertThrows(Unavailable.class, () -> create(gateway));
    }
    assertEquals(2, calls.size());
    assertFalse(calls.get(1).containsKey(KEY));
  }

  @Test
  void futuresAndObserversGetTheSameErrors() throws Exception {
    answer(error(Status.Code.UNKNOWN, "OUTCOME_UNKNOWN", 0));
    try (Gateway gateway = gateway().connect()) {
      var request = CreateGroupRequest.getDefaultInstance();
      var future = GroupServiceGrpc.newFutureStub(gateway.channel()).createGroup(request);
      var error = assertThrows(ExecutionException.class, () -> future.get(5, TimeUnit.SECONDS));
      assertInstanceOf(OutcomeUnknown.class, error.getCause());
      var seen = new java.util.concurrent.CompletableFuture<Throwable>();
      GroupServiceGrpc.newStub(gateway.channel())
          .createGroup(
              request,
              new StreamObserver<>() {
                @Override
                public void onNext(CreateGroupResponse response) {}

                @Override
                public void onError(Throwable error) {
                  seen.complete(error);
                }

                @Override
                public void onCompleted() {}
              });
      assertInstanceOf(OutcomeUnknown.class, seen.get(5, TimeUnit.SECONDS));
    }
    assertEquals(2, calls.size());
  }

  @Test
  void aProviderThatHangsDoesNotHoldACall() throws Exception {
    Object never = new Object();
    TokenProvider hangs =
        () -> {
          synchronized (never) {
            never.wait();
          }
          return null;
        };
    var builder = Gateway.builder("http://127.0.0.1:" + server.getPort()).tokenProvider(hangs);
    try (Gateway gateway = builder.deadline(Duration.ofMillis(200)).connect()) {
      assertThrows(DeadlineExceeded.class, () -> list(gateway));
    }
    assertEquals(0, calls.size());
  }

  @Test
  void aTokenIsKeptUntilShortlyBeforeItsEnd() throws Exception {
    AtomicInteger asked = new AtomicInteger();
    var tokens =
        new Tokens.Provided(
            () -> {
              int n = asked.incrementAndGet();
              return new TokenProvider.Token(
                  "t" + n, Instant.now().plusMillis(n == 1 ? 0 : 60_000));
            });
    assertEquals("t1", tokens.token(null).get());
    assertEquals("t2", tokens.token(null).get());
    assertEquals("t2", tokens.token(null).get());
    assertEquals("t3", tokens.token("t2").get());
    assertFalse(new TokenProvider.Token("secret", null).toString().contains("secret"));
  }

  @Test
  void badArgumentsAreNamed() {
    var address = assertThrows(InvalidConfig.class, () -> Gateway.builder("http://x").connect());
    assertEquals("address", address.argument());
    var token = assertThrows(InvalidConfig.class, () -> gateway().tokenProvider(() -> null));
    assertEquals("tokenProvider", token.argument());
    var bad = assertThrows(InvalidConfig.class, () -> Gateway.builder("x").token("a\nsecret"));
    assertFalse(bad.toString().contains("secret"));
    var ca = assertThrows(InvalidConfig.class, () -> Gateway.builder("https://x").ca("none"));
    assertEquals("ca", ca.argument());
    Gateway.builder("http://[::1]:80").connect().close();
    Gateway.builder("http://x").plaintext().connect().close();
  }

  @Test
  void damagedDetailsAreNone() {
    Metadata trailers = new Metadata();
    var details = Metadata.Key.of("grpc-status-details-bin", Metadata.BINARY_BYTE_MARSHALLER);
    trailers.put(details, new byte[] {-1});
    answer(Status.NOT_FOUND.withDescription("gone").asRuntimeException(trailers));
    try (Gateway gateway = gateway().connect()) {
      var error = assertThrows(NotFound.class, () -> list(gateway));
      assertEquals("gone", error.description());
      assertEquals("", error.reason());
    }
  }

  @Test
  void aStreamThatIsReadLaterIsNotEnded() throws Exception {
    script.add(() -> List.of(keys("a"), COMPLETE));
    try (Gateway gateway = gateway().connect()) {
      var stub = InventoryServiceGrpc.newBlockingV2Stub(gateway.channel());
      var stream = stub.listApiKeys(ListApiKeysRequest.getDefaultInstance());
      assertEquals("a", stream.read(5, TimeUnit.SECONDS).getKeys().getProjectId());
      assertEquals(COMPLETE, stream.read(5, TimeUnit.SECONDS));
    }
  }

  @Test
  void aPauseEndsWithItsCall() throws Exception {
    answer(error(Status.Code.RESOURCE_EXHAUSTED, "X", 15_000));
    try (Gateway gateway = gateway().connect()) {
      var stub = GroupServiceGrpc.newFutureStub(gateway.channel());
      var future = stub.listGroups(ListGroupsRequest.getDefaultInstance());
      await(() -> calls.size() == 1);
      var context = io.grpc.Context.current().withCancellation();
      var task =
          new java.util.concurrent.FutureTask<>(
              () -> context.call(() -> assertThrows(Canceled.class, () -> list(gateway))));
      new Thread(task, "blocked").start();
      await(() -> calls.size() == 2);
      Thread.sleep(200); // Now both wait for another attempt.
      assertTrue(future.cancel(true));
      context.cancel(null);
      assertEquals("Canceled", task.get(5, TimeUnit.SECONDS).kind());
    }
    assertEquals(2, calls.size());
  }

  @Test
  void theCauseIsInTheMessage() {
    var builder = gateway().attempts(1);
    server.shutdownNow();
    try (Gateway gateway = builder.connect()) {
      var error = assertThrows(Unavailable.class, () -> list(gateway));
      assertTrue(error.description().contains("Connection"), error.description());
    }
  }

  @Test
  void freshnessIsRead() {
    Metadata headers = new Metadata();
    headers.put(GatewayException.key("age"), "12");
    headers.put(GatewayException.key("cache-status"), "admin-gateway; hit; ttl=-3");
    Freshness hit = Freshness.of(headers);
    assertEquals(12, hit.age().orElseThrow());
    assertTrue(hit.hit());
    assertEquals(-3, hit.ttl().orElseThrow());
    headers = new Metadata();
    headers.put(GatewayException.key("cache-status"), "admin-gateway; fwd=miss; ttl=300");
    assertEquals("miss", Freshness.of(headers).forwarded().orElseThrow());
    assertFalse(Freshness.of(headers).hit());
  }

  @Test
  void listsAreWholeOrThrow() throws Exception {
    Function<ListGroupsRequest, ListGroupsResponse> two =
        request -> request.getAfter().isEmpty() ? page(true, "a", "1", "2") : page(false, "", "3");
    assertEquals(List.of("1", "2", "3"), ids(two, 10));
    endless(Reason.PageCap, two, 1);
    endless(Reason.SameCursor, request -> page(true, "a", "1"), 10);
    endless(Reason.EmptyPage, request -> page(true, "a"), 10);
    endless(Reason.NoCursor, request -> page(true, "", "1"), 10);
    endless(Reason.Contradiction, request -> page(false, "a", "1"), 10);
    endless(
        Reason.Cycle, request -> page(true, request.getAfter().equals("a") ? "b" : "a", "1"), 10);
    script.add(() -> List.of(page(true, "a", "1")));
    script.add(() -> List.of(page(false, "", "2")));
    List<String> seen = new ArrayList<>();
    try (Gateway gateway = gateway().connect()) {
      var stub = GroupServiceGrpc.newFutureStub(gateway.channel());
      Lists.itemsAsync(
              Group.class,
              stub::listGroups,
              ListGroupsRequest.getDefaultInstance(),
              group -> seen.add(group.getId()))
          .get(5, TimeUnit.SECONDS);
    }
    assertEquals(List.of("1", "2"), seen);
  }

  @Test
  void anInventoryGoesOnBehindTheLastToken() {
    script.add(
        () -> {
          throw error(Status.Code.UNAVAILABLE, "", 0);
        });
    script.add(() -> List.of(keys("a"), progress("t1"), keys("b"), CUT));
    script.add(() -> List.of(keys("b"), keys("c"), COMPLETE));
    List<String> projects = new ArrayList<>();
    List<Progress> progress = new ArrayList<>();
    try (Gateway gateway = gateway().connect();
        var pages = inventory(gateway).onProgress(progress::add)) {
      pages.forEach(page -> projects.add(page.getKeys().getProjectId()));
    }
    assertEquals(List.of("a", "b", "c"), projects);
    assertEquals(1, progress.size());
    assertEquals(List.of("", "", "t1"), requests.stream().map(ClientTest::token).toList());
  }

  @Test
  void aSilentInventoryIsCutOff() {
    script.add(() -> List.of(keys("a"), progress("t1"), HANGS));
    script.add(() -> List.of(keys("b"), COMPLETE));
    List<String> projects = new ArrayList<>();
    try (Gateway gateway = gateway().connect();
        var pages = inventory(gateway)) {
      pages.silence = Duration.ofMillis(300);
      pages.forEach(page -> projects.add(page.getKeys().getProjectId()));
    }
    assertEquals(List.of("a", "b"), projects);
    assertEquals(List.of("", "t1"), requests.stream().map(ClientTest::token).toList());
  }

  @Test
  void anInterruptedInventoryIsIncomplete() {
    script.add(() -> List.of(HANGS));
    try (Gateway gateway = gateway().connect();
        var pages = inventory(gateway)) {
      Thread.currentThread().interrupt();
      assertThrows(IncompleteInventory.class, pages::hasNext);
      assertTrue(Thread.interrupted());
    }
  }

  @Test
  void anInventorySaysWhatIsMissing() {
    var failure = Failure.newBuilder().setCode(7).setReason("PERMISSION_DENIED");
    var incomplete =
        Incomplete.newBuilder().addReasons(Incomplete.Reason.REASON_DENIED).setResumeToken("t2");
    script.add(
        () ->
            List.of(
                keys("a"),
                ListApiKeysResponse.newBuilder().setFailure(failure).build(),
                ListApiKeysResponse.newBuilder()
                    .setEnd(End.newBuilder().setIncomplete(incomplete))
                    .build()));
    try (Gateway gateway = gateway().connect();
        var pages = inventory(gateway)) {
      assertEquals("a", pages.next().getKeys().getProjectId());
      var error = assertThrows(IncompleteInventory.class, pages::hasNext);
      assertEquals(List.of(Incomplete.Reason.REASON_DENIED), error.missing().reasons());
      assertEquals(1, error.missing().failures().size());
      assertEquals("t2", error.missing().resumeToken());
    }
  }

  @Test
  void aLeaseIsKeptReplacedAndLost() throws Exception {
    List<String> heard = new CopyOnWriteArrayList<>();
    var listener =
        new LeasedKey.Listener() {
          @Override
          public void onKey(String key) {
            heard.add(key);
            throw new IllegalStateException("a listener that throws");
          }
        };
    Thread.setDefaultUncaughtExceptionHandler((thread, error) -> {});
    try (Gateway gateway = gateway().connect()) {
      var key =
          LeasedKey.acquire(gateway.channel(), CreateLeaseRequest.getDefaultInstance(), listener);
      assertEquals("key1", key.get());
      assertFalse(key.toString().contains("key1"));
      await(() -> leases.get() >= 2); // Its latest end comes after one renewal.
      await(() -> key.get().equals("key2"));
      assertEquals("key2", heard.get(0));
      refusal = error(Status.Code.PERMISSION_DENIED, "PERMISSION_DENIED", 0);
      await(
          () -> {
            try {
              return key.get() == null;
            } catch (LeaseLost lost) {
              return lost.getCause() instanceof PermissionDenied;
            }
          });
      refusal = null;
      var other =
          LeasedKey.acquire(gateway.channel(), CreateLeaseRequest.getDefaultInstance(), listener);
      other.close();
      assertTrue(revoked.contains(other.lease().getId()));
      key.close();
    } finally {
      Thread.setDefaultUncaughtExceptionHandler(null);
    }
    assertNotEquals(0, heard.size());
  }

  private static void await(Supplier<Boolean> holds) throws InterruptedException {
    while (!holds.get()) {
      Thread.sleep(20); // The test has a deadline.
    }
  }

  private static void list(Gateway gateway) {
    GroupServiceGrpc.newBlockingStub(gateway.channel())
        .listGroups(ListGroupsRequest.getDefaultInstance());
  }

  private static void create(Gateway gateway) {
    GroupServiceGrpc.newBlockingStub(gateway.channel())
        .createGroup(CreateGroupRequest.getDefaultInstance());
  }

  private static List<String> ids(
      Function<ListGroupsRequest, ListGroupsResponse> call, int maxPages) {
    List<String> ids = new ArrayList<>();
    Lists.items(Group.class, call, ListGroupsRequest.getDefaultInstance(), maxPages)
        .forEach(group -> ids.add(group.getId()));
    return ids;
  }

  private static void endless(
      Reason reason, Function<ListGroupsRequest, ListGroupsResponse> call, int maxPages) {
    assertEquals(reason, assertThrows(EndlessList.class, () -> ids(call, maxPages)).reason());
  }

  private static ListGroupsResponse page(boolean more, String next, String... ids) {
    var page = ListGroupsResponse.newBuilder().setHasMore(more).setNext(next);
    Arrays.stream(ids).forEach(id -> page.addDataBuilder().setId(id));
    return page.build();
  }

  private static final ListApiKeysResponse CUT = ListApiKeysResponse.getDefaultInstance();
  private static final ListApiKeysResponse HANGS = ListApiKeysResponse.newBuilder().build();
  private static final ListApiKeysResponse COMPLETE =
      ListApiKeysResponse.newBuilder()
          .setEnd(End.newBuilder().setComplete(Complete.getDefaultInstance()))
          .build();

  private static Inventory<ListApiKeysResponse> inventory(Gateway gateway) {
    return Inventory.of(
        InventoryServiceGrpc.newStub(gateway.channel()),
        InventoryServiceStub::listApiKeys,
        ListApiKeysRequest.getDefaultInstance());
  }

  private static ListApiKeysResponse keys(String project) {
    var keys = ListApiKeysResponse.Keys.newBuilder().setProjectId(project);
    return ListApiKeysResponse.newBuilder().setKeys(keys).build();
  }

  private static ListApiKeysResponse progress(String token) {
    var progress = Progress.newBuilder().setResumeToken(token);
    return ListApiKeysResponse.newBuilder().setProgress(progress).build();
  }

  private static String token(Message request) {
    return ((ListApiKeysRequest) request).getResumeToken();
  }

  private void answer(StatusRuntimeException... errors) {
    for (StatusRuntimeException error : errors) {
      script.add(
          () -> {
            throw error;
          });
    }
  }

  private static StatusRuntimeException error(Status.Code code, String reason, long delay) {
    var status = com.google.rpc.Status.newBuilder().setCode(code.value());
    if (!reason.isEmpty()) {
      status.addDetails(Any.pack(ErrorInfo.newBuilder().setReason(reason).build()));
    }
    if (delay > 0) {
      var info = RetryInfo.newBuilder().setRetryDelay(Durations.fromMillis(delay));
      status.addDetails(Any.pack(info.build()));
    }
    return StatusProto.toStatusRuntimeException(status.build());
  }

  /** Gives the next answer of the script. */
  @SuppressWarnings("unchecked")
  private <M extends Message> void play(Message request, StreamObserver<M> observer) {
    requests.add(request);
    var next = script.size() > 1 ? script.remove() : script.element();
    try {
      for (Message message : next.get()) {
        if (message == HANGS) {
          return;
        }
        if (message == CUT) {
          observer.onError(Status.UNAVAILABLE.asRuntimeException());
          return;
        }
        observer.onNext((M) message);
      }
      observer.onCompleted();
    } catch (StatusRuntimeException error) {
      observer.onError(error);
    }
  }

  private final class Calls implements ServerInterceptor {
    @Override
    public <Q, R> ServerCall.Listener<Q> interceptCall(
        ServerCall<Q, R> call, Metadata headers, ServerCallHandler<Q, R> next) {
      calls.add(headers);
      return next.startCall(call, headers);
    }
  }

  private final class Groups extends GroupServiceGrpc.GroupServiceImplBase {
    @Override
    public void listGroups(ListGroupsRequest request, StreamObserver<ListGroupsResponse> observer) {
      play(request, observer);
    }

    @Override
    public void createGroup(
        CreateGroupRequest request, StreamObserver<CreateGroupResponse> observer) {
      play(request, observer);
    }
  }

  private final class Inventories extends InventoryServiceGrpc.InventoryServiceImplBase {
    @Override
    public void listApiKeys(
        ListApiKeysRequest request, StreamObserver<ListApiKeysResponse> observer) {
      play(request, observer);
    }
  }

  /** Leases of 300 ms, which can be renewed once. */
  private final class Leases extends LeaseServiceGrpc.LeaseServiceImplBase {
    private Lease lease(int n, long ends) {
      return Lease.newBuilder()
          .setId("lease" + n)
          .setApiKeyId("id" + n)
          .setCreatedAt(Timestamps.fromMillis(0))
          .setExpiresAt(Timestamps.fromMillis(ends))
          .setMaxExpiresAt(Timestamps.fromMillis(600))
          .build();
    }

    @Override
    public void createLease(
        CreateLeaseRequest request, StreamObserver<CreateLeaseResponse> observer) {
      if (refusal != null) {
        observer.onError(refusal);
        return;
      }
      int n = leases.incrementAndGet();
      var answer = CreateLeaseResponse.newBuilder().setLease(lease(n, 300)).setSecret("key" + n);
      observer.onNext(answer.build());
      observer.onCompleted();
    }

    @Override
    public void acknowledgeLease(
        AcknowledgeLeaseRequest request, StreamObserver<AcknowledgeLeaseResponse> observer) {
      observer.onNext(AcknowledgeLeaseResponse.getDefaultInstance());
      observer.onCompleted();
    }

    @Override
    public void renewLease(RenewLeaseRequest request, StreamObserver<RenewLeaseResponse> observer) {
      int n = Integer.parseInt(request.getLeaseId().substring(5));
      observer.onNext(RenewLeaseResponse.newBuilder().setLease(lease(n, 600)).build());
      observer.onCompleted();
    }

    @Override
    public void revokeLease(
        RevokeLeaseRequest request, StreamObserver<RevokeLeaseResponse> observer) {
      revoked.add(request.getLeaseId());
      observer.onNext(RevokeLeaseResponse.getDefaultInstance());
      observer.onCompleted();
    }
  }
}
