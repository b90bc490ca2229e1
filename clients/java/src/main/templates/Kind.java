package io.admingateway.client;

/** An error of the kind {@code @KIND@}: @MEANS@. */
public final class @KIND@ extends GatewayException {
  private static final long serialVersionUID = 1;

  @KIND@(io.grpc.Status status, io.grpc.Metadata trailers) {
    super(status, trailers);
  }
}
