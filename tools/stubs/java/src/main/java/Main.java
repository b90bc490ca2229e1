import com.google.protobuf.Any;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.Message;
import com.google.rpc.BadRequest;
import com.google.rpc.ErrorInfo;
import io.admingateway.admin.v1.CreateProjectRequest;
import io.admingateway.admin.v1.GetProjectRequest;
import io.admingateway.admin.v1.ListProjectsRequest;
import io.admingateway.admin.v1.Project;
import io.admingateway.admin.v1.ProjectServiceGrpc;
import io.grpc.Grpc;
import io.grpc.InsecureChannelCredentials;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.StatusRuntimeException;
import io.grpc.protobuf.StatusProto;
import io.grpc.stub.MetadataUtils;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;

/** Calls the gateway with stubs that were generated from its schema. */
public final class Main {
  public static void main(String[] args) throws Exception {
    Metadata headers = new Metadata();
    headers.put(
        Metadata.Key.of("authorization", Metadata.ASCII_STRING_MARSHALLER),
        "Bearer " + System.getenv("AUDITOR"));
    String target = System.getenv("GATEWAY").replaceFirst("^http://", ""); // host:port
    ManagedChannel channel =
        Grpc.newChannelBuilder(target, InsecureChannelCredentials.create())
            .intercept(MetadataUtils.newAttachHeadersInterceptor(headers))
            .build();
    try {
      call(ProjectServiceGrpc.newBlockingStub(channel).withDeadlineAfter(10, TimeUnit.SECONDS));
    } finally {
      channel.shutdownNow().awaitTermination(10, TimeUnit.SECONDS);
    }
  }

  private static void call(ProjectServiceGrpc.ProjectServiceBlockingStub projects) throws Exception {
    var page = projects.listProjects(ListProjectsRequest.newBuilder().setLimit(3).build());
    System.out.println(
        "java: ListProjects: "
            + page.getDataList().stream().map(Project::getName).collect(Collectors.joining(", ")));

    var error = refused(() -> projects.createProject(CreateProjectRequest.newBuilder().setName("mine").build()));
    var info = detail(error, ErrorInfo.class);
    System.out.println("java: CreateProject: " + error.getStatus().getCode() + " " + info.getReason() + " " + info.getMetadataMap());
    expect("PERMISSION_DENIED", info);

    error = refused(() -> projects.getProject(GetProjectRequest.newBuilder().setProjectId("../users").build()));
    info = detail(error, ErrorInfo.class);
    var violation = detail(error, BadRequest.class).getFieldViolations(0);
    System.out.println("java: GetProject: " + error.getStatus().getCode() + " " + info.getReason() + " " + violation.getField());
    expect("INVALID_REQUEST", info);
  }

  private static StatusRuntimeException refused(Runnable call) {
    try {
      call.run();
    } catch (StatusRuntimeException error) {
      return error;
    }
    throw new AssertionError("the call was not refused");
  }

  /** The detail of an error that has a type. */
  private static <T extends Message> T detail(StatusRuntimeException error, Class<T> type)
      throws InvalidProtocolBufferException {
    for (Any packed : StatusProto.fromThrowable(error).getDetailsList()) {
      if (packed.is(type)) {
        return packed.unpack(type);
      }
    }
    throw new AssertionError("no detail of the type " + type);
  }

  private static void expect(String reason, ErrorInfo info) {
    if (!reason.equals(info.getReason())) {
      throw new AssertionError(info);
    }
  }
}
