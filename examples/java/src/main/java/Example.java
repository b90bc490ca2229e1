import com.google.protobuf.util.Durations;
import com.google.protobuf.util.Timestamps;
import io.admingateway.admin.v1.CostServiceGrpc;
import io.admingateway.admin.v1.CostsBucket;
import io.admingateway.admin.v1.CreateProjectRequest;
import io.admingateway.admin.v1.CreateProjectServiceAccountRequest;
import io.admingateway.admin.v1.DeleteProjectServiceAccountRequest;
import io.admingateway.admin.v1.ListCostsRequest;
import io.admingateway.admin.v1.ListProjectsRequest;
import io.admingateway.admin.v1.Project;
import io.admingateway.admin.v1.ProjectServiceAccountServiceGrpc;
import io.admingateway.admin.v1.ProjectServiceGrpc;
import io.admingateway.client.DeadlineExceeded;
import io.admingateway.client.Gateway;
import io.admingateway.client.GatewayException;
import io.admingateway.client.IncompleteInventory;
import io.admingateway.client.Inventory;
import io.admingateway.client.Lists;
import io.admingateway.client.PermissionDenied;
import io.admingateway.client.ResourceExhausted;
import io.admingateway.client.Unavailable;
import io.admingateway.inventory.v1.InventoryServiceGrpc;
import io.admingateway.inventory.v1.InventoryServiceGrpc.InventoryServiceStub;
import io.admingateway.inventory.v1.ListApiKeysRequest;
import io.admingateway.inventory.v1.Progress;
import java.io.PrintStream;
import java.math.BigDecimal;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.time.LocalDate;
import java.time.ZoneOffset;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;

/** A tour: lists, writes, an inventory, costs, and what can go wrong. */
public final class Example {
  private static final boolean TERMINAL = System.console() != null;
  private static final PrintStream OUT = new PrintStream(System.out, true, StandardCharsets.UTF_8);

  public static void main(String[] args) throws InterruptedException {
    try (Gateway gateway = connect(System.getenv("GATEWAY_TOKEN"))) {
      List<Project> projects = projects(gateway);
      if (!projects.isEmpty()) {
        serviceAccount(gateway, projects.get(0));
      }
      apiKeys(gateway);
      costs(gateway);
      deadline(gateway);
    } catch (GatewayException e) {
      System.err.printf("%s: %s (%s)%n", e.kind(), e.description(), e.requestId());
      System.exit(1);
    }
    String auditor = System.getenv("AUDITOR_TOKEN");
    if (auditor != null) {
      refusal(auditor);
    }
  }

  private static Gateway connect(String token) {
    var gateway =
        Gateway.builder(System.getenv("GATEWAY")).token(token).userAgent("admin-gateway-tour/1");
    String ca = Optional.ofNullable(System.getenv("GATEWAY_CA")).orElse("");
    return (ca.isEmpty() ? gateway : gateway.ca(Path.of(ca))).connect();
  }

  /** Lists.items asks for the pages as they are needed, and throws if they lead nowhere. */
  private static List<Project> projects(Gateway gateway) {
    title("Projects");
    var stub = ProjectServiceGrpc.newBlockingStub(gateway.channel());
    var request = ListProjectsRequest.newBuilder().setLimit(10).build();
    List<Project> all = new ArrayList<>();
    Lists.items(Project.class, stub::listProjects, request).forEach(all::add);
    all.stream().limit(5).forEach(p -> OUT.printf("  %-32s %s%n", p.getId(), p.getName()));
    OUT.printf("  %d in all%n", all.size());
    return all;
  }

  /** A write has a random idempotency key, so that it can be repeated and is made once. */
  private static void serviceAccount(Gateway gateway, Project project) throws InterruptedException {
    title("A service account");
    var stub = ProjectServiceAccountServiceGrpc.newBlockingStub(gateway.channel());
    var create =
        CreateProjectServiceAccountRequest.newBuilder()
            .setProjectId(project.getId())
            .setName("tour")
            .build();
    var made = patiently(() -> stub.createProjectServiceAccount(create));
    int length = made.getApiKey().getValue().length();
    OUT.printf("  created %s, with a key of %d characters%n", made.getId(), length);
    var delete =
        DeleteProjectServiceAccountRequest.newBuilder()
            .setProjectId(project.getId())
            .setServiceAccountId(made.getId())
            .build();
    boolean deleted = patiently(() -> stub.deleteProjectServiceAccount(delete)).getDeleted();
    OUT.printf("  deleted %s: %s%n", made.getId(), deleted);
  }

  /** Waits as long as the gateway asks for, beyond what the client has waited by itself. */
  private static <T> T patiently(Supplier<T> call) throws InterruptedException {
    for (int attempt = 1; ; attempt++) {
      try {
        return call.get();
      } catch (ResourceExhausted | Unavailable e) {
        if (attempt == 3 || e.retryDelay().isEmpty()) {
          throw e;
        }
        long wait = e.retryDelay().get().toMillis();
        OUT.printf("  %s: waiting for %.1f s%n", e.description(), wait / 1e3);
        TimeUnit.MILLISECONDS.sleep(wait);
      }
    }
  }

  /** The keys of all projects, in one stream that resumes by itself. */
  private static void apiKeys(Gateway gateway) {
    title("API keys");
    var stub = InventoryServiceGrpc.newStub(gateway.channel());
    var request = ListApiKeysRequest.getDefaultInstance();
    long keys = 0;
    Set<String> projects = new HashSet<>();
    try (var pages = Inventory.of(stub, InventoryServiceStub::listApiKeys, request)) {
      pages.onProgress(Example::bar);
      for (var page : pages) {
        keys += page.getKeys().getItemsCount();
        projects.add(page.getKeys().getProjectId());
      }
      OUT.printf("%s  %,d keys of %,d projects%n", TERMINAL ? "\n" : "", keys, projects.size());
    } catch (IncompleteInventory e) {
      OUT.printf("%n  not all of them: %s%n", e.missing().reasons());
    }
  }

  private static void bar(Progress progress) {
    long known = Math.max(progress.getCallsKnown(), 1);
    long done = progress.getCallsDone();
    if (!TERMINAL) {
      OUT.printf("  %d of %d calls, %d keys%n", done, known, progress.getItems());
      return;
    }
    int eighths = (int) (done * 30 * 8 / known);
    String full = "█".repeat(eighths / 8);
    String part = eighths % 8 == 0 ? "" : String.valueOf((char) ('█' + 8 - eighths % 8));
    String left =
        progress.hasTimeLeft() ? Durations.toSeconds(progress.getTimeLeft()) + " s left" : "";
    OUT.printf(
        "\r  \033[36m%-30s\033[0m %3d %%  %,d keys  %s\033[K",
        full + part, done * 100 / known, progress.getItems(), left);
  }

  private static void costs(Gateway gateway) {
    title("Costs of a week");
    Instant start = Instant.now().truncatedTo(ChronoUnit.DAYS).minus(Duration.ofDays(7));
    var stub = CostServiceGrpc.newBlockingStub(gateway.channel());
    var request =
        ListCostsRequest.newBuilder()
            .setStartTime(Timestamps.fromMillis(start.toEpochMilli()))
            .setEndTime(Timestamps.fromMillis(start.plus(Duration.ofDays(7)).toEpochMilli()))
            .build();
    Map<String, BigDecimal> days = new LinkedHashMap<>();
    for (CostsBucket day : Lists.items(CostsBucket.class, stub::listCosts, request)) {
      Instant at = Instant.ofEpochSecond(day.getStartTime().getSeconds());
      BigDecimal cost =
          day.getResultsList().stream()
              .filter(result -> result.getAmount().hasValue())
              .map(result -> new BigDecimal(result.getAmount().getValue()))
              .reduce(BigDecimal.ZERO, BigDecimal::add);
      days.put(LocalDate.ofInstant(at, ZoneOffset.UTC).toString(), cost);
    }
    BigDecimal sum = days.values().stream().reduce(BigDecimal.ZERO, BigDecimal::add);
    days.forEach((day, cost) -> OUT.printf("  %-10s %,12.2f  %s%n", day, cost, share(cost, sum)));
    OUT.printf("  %-10s %,12.2f%n", "sum", sum);
  }

  private static String share(BigDecimal cost, BigDecimal sum) {
    return sum.signum() == 0
        ? ""
        : "▪".repeat((int) (100 * cost.doubleValue() / sum.doubleValue()));
  }

  private static void deadline(Gateway gateway) {
    title("A deadline");
    var stub = ProjectServiceGrpc.newBlockingStub(gateway.channel());
    try {
      stub.withDeadlineAfter(1, TimeUnit.NANOSECONDS)
          .listProjects(ListProjectsRequest.getDefaultInstance());
    } catch (DeadlineExceeded e) {
      OUT.println("  a nanosecond is too short for a list");
    }
  }

  private static void refusal(String token) {
    title("A refusal");
    try (Gateway gateway = connect(token)) {
      var stub = ProjectServiceGrpc.newBlockingStub(gateway.channel());
      stub.createProject(CreateProjectRequest.newBuilder().setName("mine").build());
    } catch (PermissionDenied e) {
      OUT.printf("  the permission %s is missing (%s)%n", e.permission(), e.requestId());
    }
  }

  private static void title(String text) {
    OUT.printf(TERMINAL ? "%n\033[1m%s\033[0m%n" : "%n%s%n", text);
  }
}
