// The AWS SDK for Go v2: put, managed multipart, get, range, copy, list, delete.
package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/url"
	"os"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/feature/s3/manager"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

func pattern(size int) []byte {
	made := make([]byte, size)
	for i := range made {
		made[i] = byte(i % 251)
	}
	return made
}

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func check(holds bool, what string) {
	if !holds {
		log.Fatal(what)
	}
}

func main() {
	endpoint, bucket := os.Args[1], aws.String(os.Args[2])
	client := s3.New(s3.Options{
		BaseEndpoint:     aws.String(endpoint),
		Region:           "us-east-1",
		UsePathStyle:     true,
		RetryMaxAttempts: 1,
		Credentials:      credentials.NewStaticCredentialsProvider(os.Args[3], os.Args[4], ""),
	})
	ctx := context.Background()
	get := func(key string, span *string) []byte {
		answer, err := client.GetObject(ctx, &s3.GetObjectInput{Bucket: bucket, Key: &key, Range: span})
		must(err)
		body, err := io.ReadAll(answer.Body)
		must(err)
		return body
	}

	small, key := pattern(5000), "go/small é+%"
	_, err := client.PutObject(ctx, &s3.PutObjectInput{
		Bucket: bucket, Key: &key, Body: bytes.NewReader(small), Metadata: map[string]string{"colour": "blue"},
	})
	must(err)
	check(bytes.Equal(get(key, nil), small), "small differs")
	check(bytes.Equal(get(key, aws.String("bytes=7-99")), small[7:100]), "range differs")

	large := pattern(12_000_000)
	uploaded, err := manager.NewUploader(client).Upload(ctx, &s3.PutObjectInput{
		Bucket: bucket, Key: aws.String("go/large"), Body: bytes.NewReader(large),
	})
	must(err)
	check(len(uploaded.CompletedParts) == 3, "not three parts")
	check(bytes.Equal(get("go/large", nil), large), "large differs")
	buffer := manager.NewWriteAtBuffer(nil)
	_, err = manager.NewDownloader(client).Download(ctx, buffer, &s3.GetObjectInput{
		Bucket: bucket, Key: aws.String("go/large"),
	})
	must(err)
	check(bytes.Equal(buffer.Bytes(), large), "download differs")

	_, err = client.CopyObject(ctx, &s3.CopyObjectInput{
		Bucket: bucket, Key: aws.String("go/copy"),
		CopySource: aws.String(os.Args[2] + "/" + url.PathEscape(key)),
	})
	must(err)
	check(bytes.Equal(get("go/copy", nil), small), "copy differs")

	_, err = client.GetObject(ctx, &s3.GetObjectInput{Bucket: bucket, Key: aws.String("go/none")})
	var missing *types.NoSuchKey
	check(errors.As(err, &missing), "no NoSuchKey")
	listed, err := client.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: bucket, Prefix: aws.String("go/")})
	must(err)
	check(len(listed.Contents) == 3, "not three objects")
	var doomed []types.ObjectIdentifier
	for _, one := range listed.Contents {
		doomed = append(doomed, types.ObjectIdentifier{Key: one.Key})
	}
	deleted, err := client.DeleteObjects(ctx, &s3.DeleteObjectsInput{
		Bucket: bucket, Delete: &types.Delete{Objects: doomed},
	})
	must(err)
	check(len(deleted.Deleted) == 3, "not three deleted")
	fmt.Println("done")
}
