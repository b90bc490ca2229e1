package main

import (
	"context"
	"math/big"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/admin-gateway/admin-gateway/client"
	adminv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1"
	"github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1/adminv1connect"
	"github.com/admin-gateway/admin-gateway/pages"
)

// costs prints the days of a week. Amounts are decimal numbers, and stay exact.
func costs(ctx context.Context, gateway *client.Gateway) error {
	heading("Costs of the last seven days")
	today := time.Now().UTC().Truncate(24 * time.Hour)
	request := &adminv1.ListCostsRequest{StartTime: timestamppb.New(today.AddDate(0, 0, -7)), EndTime: timestamppb.New(today)}
	type day struct {
		date time.Time
		sum  *big.Rat
	}
	var days []day
	total, most := new(big.Rat), new(big.Rat)
	for bucket, err := range pages.Walk[*adminv1.CostsBucket](ctx, adminv1connect.NewCostServiceClient(gateway.Client()).ListCosts, request) {
		if err != nil {
			return err
		}
		sum := new(big.Rat)
		for _, result := range bucket.GetResults() {
			if amount, ok := new(big.Rat).SetString(result.GetAmount().GetValue()); ok {
				sum.Add(sum, amount)
			}
		}
		days = append(days, day{bucket.GetStartTime().AsTime(), sum})
		if total.Add(total, sum); sum.Cmp(most) > 0 {
			most = sum
		}
	}
	for _, d := range days {
		width := 0
		if most.Sign() > 0 {
			share, _ := new(big.Rat).Quo(d.sum, most).Float64()
			width = int(share*24 + 0.5)
		}
		line("%s %12s  %s", d.date.Format("Mon 02 Jan"), "$"+d.sum.FloatString(2), strings.Repeat("▇", width))
	}
	line("%-10s %12s", "total", "$"+total.FloatString(2))
	return nil
}
