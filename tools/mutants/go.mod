module github.com/admin-gateway/admin-gateway/tools/mutants

go 1.26.0
