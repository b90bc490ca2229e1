import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.Message;
import com.google.protobuf.util.JsonFormat;
import io.admingateway.client.EndlessList;
import io.admingateway.client.Freshness;
import io.admingateway.client.Gateway;
import io.admingateway.client.GatewayException;
import io.admingateway.client.IncompleteInventory;
import io.admingateway.client.InvalidConfig;
import io.admingateway.client.Inventory;
import io.admingateway.client.LeaseLost;
import io.admingateway.client.LeasedKey;
import io.admingateway.client.Lists;
import io.admingateway.client.TokenProvider.Token;
import io.admingateway.lease.v1.CreateLeaseRequest;
import io.grpc.Channel;
import io.grpc.Context;
import io.grpc.Metadata;
import io.grpc.stub.AbstractStub;
import io.grpc.stub.MetadataUtils;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;

/** Makes the calls of the conformance script: a command a line in, a result a line out. */
public final class Runner {
  private static final BufferedReader IN =
      new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
  private static final PrintStream OUT = new PrintStream(System.out, true, StandardCharsets.UTF_8);

  private final JsonObject command;
  private final JsonObject result = new JsonObject();
  private final AtomicInteger providerCalls = new AtomicInteger();
  private final AtomicReference<Metadata> headers = new AtomicReference<>();

  private Runner(JsonObject command) {
    this.command = command;
  }

  public static void main(String[] args) throws Exception {
    for (String line = IN.readLine(); line != null; line = IN.readLine()) {
      Runner runner = new Runner(JsonParser.parseString(line).getAsJsonObject());
      runner.run();
      OUT.println(runner.result);
    }
  }

  private void run() throws Exception {
    result.add("case", command.get("case"));
    JsonObject error = null;
    try (Gateway gateway = connect(command.getAsJsonObject("client"))) {
      Channel channel = gateway.channel();
      switch (text(command, "do")) {
        case "call" -> call(channel);
        case "list" -> list(channel);
        case "inventory" -> inventory(channel);
        case "lease" -> lease(channel);
        default -> throw new IllegalArgumentException("no such thing to do: " + command);
      }
    } catch (InvalidConfig e) {
      error = error("InvalidConfig", "", e);
      error.add("fields", array(List.of(e.argument())));
    } catch (EndlessList e) {
      error = error("EndlessList", e.reason().name(), e);
    } catch (LeaseLost e) {
      error = error("LeaseLost", "", e);
    } catch (IncompleteInventory e) {
      error =
          error(
              "IncompleteInventory",
              e.missing().reasons().stream().findFirst().map(Enum::name).orElse(""),
              e);
      error.addProperty("missing", e.missing().failures().size() + e.missing().moreFailures());
    } catch (GatewayException e) {
      error = error(e.kind(), e.reason(), e);
      error.addProperty("code", e.code().name().replace("CANCELLED", "CANCELED"));
      error.addProperty("message", e.description());
      error.addProperty("permission", e.permission());
      error.addProperty("project", e.project());
      error.addProperty("request_id", e.requestId());
      error.add("fields", array(e.fieldViolations().stream().map(v -> v.getField()).toList()));
      error.addProperty("retry_delay", e.retryDelay().map(d -> d.toMillis() / 1e3).orElse(null));
    }
    result.addProperty("ok", error == null);
    result.add("error", error);
    result.addProperty("provider_calls", providerCalls.get());
    if (headers.get() != null) {
      Freshness fresh = Freshness.of(headers.get());
      JsonObject freshness = new JsonObject();
      fresh.age().ifPresent(age -> freshness.addProperty("age", age));
      freshness.addProperty("hit", fresh.hit());
      result.add("freshness", freshness);
    }
  }

  private Gateway connect(JsonObject client) {
    var builder = Gateway.builder(text(client, "address"));
    for (String name : client.keySet()) {
      JsonElement value = client.get(name);
      switch (name) {
        case "address", "key" -> {}
        case "ca" -> builder.ca(Path.of(value.getAsString()));
        case "token" -> builder.token(value.getAsString());
        case "token_file" -> builder.tokenFile(Path.of(value.getAsString()));
        case "token_provider" -> {
          JsonArray tokens = value.getAsJsonArray();
          builder.tokenProvider(
              () -> {
                int n = Math.min(providerCalls.getAndIncrement(), tokens.size() - 1);
                return Token.of(tokens.get(n).getAsString());
              });
        }
        case "cert" ->
            builder.clientCertificate(Path.of(value.getAsString()), Path.of(text(client, "key")));
        case "deadline" -> builder.deadline(Duration.ofMillis((long) (value.getAsDouble() * 1e3)));
        case "attempts" -> builder.attempts(value.getAsInt());
        case "user_agent" -> builder.userAgent(value.getAsString());
        default -> throw new IllegalArgumentException("no such setting: " + name);
      }
    }
    return builder.connect();
  }

  private void call(Channel channel) throws Exception {
    Stub<?> stub = stub(channel, "newBlockingStub");
    Message request = request(stub.method.getParameterTypes()[0]);
    Message response;
    if (command.has("cancel")) {
      try (var context = Context.current().withCancellation()) {
        var answer = new FutureTask<Message>(() -> context.call(() -> stub.call(request)));
        new Thread(answer, "call").start();
        IN.readLine();
        context.cancel(null);
        response = answer.get(30, TimeUnit.SECONDS);
      } catch (ExecutionException e) {
        throw e.getCause() instanceof RuntimeException cause ? cause : e;
      }
    } else {
      response = stub.call(request);
    }
    result.add("response", json(response));
  }

  private void list(Channel channel) throws Exception {
    Stub<?> stub = stub(channel, "newBlockingStub");
    JsonArray ids = new JsonArray();
    result.add("ids", ids);
    for (Message item :
        Lists.items(Message.class, stub::call, request(stub.method.getParameterTypes()[0]))) {
      var id = item.getDescriptorForType().findFieldByName("id");
      ids.add(id == null ? "" : (String) item.getField(id));
      result.addProperty("items", ids.size());
    }
  }

  private void inventory(Channel channel) throws Exception {
    Stub<?> stub = stub(channel, "newStub");
    walk(stub);
  }

  private <S extends AbstractStub<S>> void walk(Stub<S> stub) throws Exception {
    Inventory.Call<S, Message, Message> call =
        (own, request, observer) -> stub.on(own).invoke(request, observer);
    int[] counts = new int[4];
    List<String> names = List.of("items", "pages", "progress", "failures");
    try (var pages = Inventory.of(stub.stub, call, request(stub.method.getParameterTypes()[0]))) {
      pages.onProgress(progress -> counts[2]++).onFailure(failure -> counts[3]++);
      for (Message page : pages) {
        counts[1]++;
        for (Object part : page.getAllFields().values()) {
          var items = ((Message) part).getDescriptorForType().findFieldByName("items");
          counts[0] += items == null ? 0 : ((Message) part).getRepeatedFieldCount(items);
        }
      }
    } finally {
      names.forEach(name -> result.addProperty(name, counts[names.indexOf(name)]));
    }
  }

  private void lease(Channel channel) throws Exception {
    JsonObject response = new JsonObject();
    var request = (CreateLeaseRequest) request(CreateLeaseRequest.class);
    var lease = LeasedKey.acquire(channel, request, new LeasedKey.Listener() {});
    try (lease) {
      String key = lease.get();
      response.addProperty("key_given", !key.isEmpty());
      response.addProperty("lease_id", lease.lease().getId());
      lease.renew();
      response.addProperty("renewed", lease.get().equals(key));
      lease.rotate(Duration.ZERO);
      response.addProperty("rotated", !lease.get().equals(key));
    }
    response.addProperty("released", true);
    result.add("response", response);
  }

  /** A method of a stub, as the command names it. */
  private record Stub<S extends AbstractStub<S>>(S stub, Method method) {
    Stub<S> on(S other) {
      return new Stub<>(other, method);
    }

    Message call(Message request) {
      return (Message) invoke(request);
    }

    Object invoke(Object... arguments) {
      try {
        return method.invoke(stub, arguments);
      } catch (InvocationTargetException e) {
        if (e.getCause() instanceof RuntimeException cause) {
          throw cause;
        }
        throw new AssertionError(e);
      } catch (IllegalAccessException e) {
        throw new AssertionError(e);
      }
    }
  }

  private Stub<?> stub(Channel channel, String kind) throws ReflectiveOperationException {
    String[] path = text(command, "method").split("/");
    Class<?> service = Class.forName("io." + path[0] + "Grpc");
    Object stub = service.getMethod(kind, Channel.class).invoke(null, channel);
    String name = path[1].substring(0, 1).toLowerCase(Locale.ROOT) + path[1].substring(1);
    for (Method method : stub.getClass().getMethods()) {
      if (method.getName().equals(name)) {
        return withOptions((AbstractStub<?>) stub, method);
      }
    }
    throw new IllegalArgumentException("no such method: " + command);
  }

  @SuppressWarnings("unchecked") // A stub's options give a stub of its own class.
  private <S extends AbstractStub<S>> Stub<S> withOptions(AbstractStub<?> some, Method method) {
    S stub =
        ((S) some)
            .withInterceptors(
                MetadataUtils.newCaptureMetadataInterceptor(headers, new AtomicReference<>()));
    if (command.has("headers")) {
      Metadata extra = new Metadata();
      command
          .getAsJsonObject("headers")
          .entrySet()
          .forEach(
              h ->
                  extra.put(
                      Metadata.Key.of(h.getKey(), Metadata.ASCII_STRING_MARSHALLER),
                      h.getValue().getAsString()));
      stub = stub.withInterceptors(MetadataUtils.newAttachHeadersInterceptor(extra));
    }
    if (command.has("timeout")) {
      stub =
          stub.withDeadlineAfter(
              (long) (command.get("timeout").getAsDouble() * 1e3), TimeUnit.MILLISECONDS);
    }
    if (command.has("idempotency_key")) {
      stub = stub.withOption(Gateway.IDEMPOTENCY_KEY, text(command, "idempotency_key"));
    }
    if (command.has("no_idempotency_key") && command.get("no_idempotency_key").getAsBoolean()) {
      stub = stub.withOption(Gateway.IDEMPOTENCY_KEY, Gateway.NO_KEY);
    }
    return new Stub<>(stub, method);
  }

  private Message request(Class<?> type) throws Exception {
    var builder = (Message.Builder) type.getMethod("newBuilder").invoke(null);
    if (command.has("request")) {
      JsonFormat.parser().merge(command.get("request").toString(), builder);
    }
    return builder.build();
  }

  private static JsonElement json(Message message) throws InvalidProtocolBufferException {
    return JsonParser.parseString(
        JsonFormat.printer().omittingInsignificantWhitespace().print(message));
  }

  private static JsonObject error(String kind, String reason, Exception e) {
    JsonObject error = new JsonObject();
    error.addProperty("kind", kind);
    error.addProperty("reason", reason);
    error.addProperty("message", e.getMessage());
    return error;
  }

  private static JsonArray array(List<String> values) {
    JsonArray array = new JsonArray();
    values.forEach(array::add);
    return array;
  }

  private static String text(JsonObject object, String name) {
    return object.get(name).getAsString();
  }
}
