package io.admingateway.client;

/** An argument that cannot be used. Its message has no secret. */
public final class InvalidConfig extends IllegalArgumentException {
  private static final long serialVersionUID = 1;

  private final String argument;

  InvalidConfig(String argument, String problem, Throwable cause) {
    super(argument + ": " + problem, cause);
    this.argument = argument;
  }

  /** The name of the argument. */
  public String argument() {
    return argument;
  }
}
