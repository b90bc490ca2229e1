# consul-template writes the key of a lease into a file, renews the lease, and writes
# another key before the latest end. VAULT_TOKEN has the token of the caller.
vault {
  address     = "https://gateway.example.org:8200"
  renew_token = false # The token is the policy's: there is nothing to renew.
}

template {
  source      = "/etc/search-batch/key.env.ctmpl"
  destination = "/run/search-batch/key.env"
  perms       = "0600"

  exec {
    command = ["systemctl", "restart", "search-batch"]
  }
}
