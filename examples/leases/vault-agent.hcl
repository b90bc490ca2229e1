# Vault Agent logs in with the pod's JWT, and writes the key of a lease into a file.
vault {
  address = "https://gateway.example.org:8200"
}

auto_auth {
  method "kubernetes" {
    config = {
      role       = "any" # The policy of the gateway goes by the pod's service account.
      token_path = "/var/run/secrets/tokens/gateway"
    }
  }
}

template {
  source      = "/etc/search-batch/key.env.ctmpl"
  destination = "/run/search-batch/key.env"
  perms       = "0600"
}
