module github.com/admin-gateway/admin-gateway/tools/outdated

go 1.26.0
