module github.com/admin-gateway/admin-gateway/tools/neighbours

go 1.26.0
