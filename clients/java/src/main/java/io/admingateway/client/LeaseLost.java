package io.admingateway.client;

/** The lease is over, and the gateway refuses another one: the cause says why. */
public final class LeaseLost extends RuntimeException {
  private static final long serialVersionUID = 1;

  LeaseLost(String lease, RuntimeException cause) {
    super("lease " + lease + " is over, and there is no other", cause);
  }
}
