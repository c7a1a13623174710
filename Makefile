# Every command that a newcomer, a commit and CI need. `make help` prints the lines with ##.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/installed-$(shell cat requirements/dev.txt pyproject.toml | cksum | cut -d' ' -f1)
# make test JUNIT=build/junit.xml: the results for a machine too.
JUNIT ?=
# make test ONLY=tests/domain: a part of the tests.
ONLY ?= tests
# Tests mostly wait, for brokers and databases of their own: three at a time on two cores.
WORKERS ?= 3
# make demo EXIT=1: stop after the story.
EXIT ?=
# make bench QUICK=1: small sizes, one round. make bench MEASURES="relay replay": these alone.
QUICK ?=
MEASURES ?=
# make demo TARGET=compose: the story is told to the two cities of docker-compose.yml.
TARGET ?= embedded

.PHONY: help setup demo test test-containers image check bench clean
.DEFAULT_GOAL := help

help: ## 列出命令 · this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

setup: $(STAMP) ## 安装到 .venv,下载 Kafka · install into .venv, fetch Kafka

$(STAMP): requirements/dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or later is needed, this is " + sys.version.split()[0])'
	@begun=$$(date +%s); \
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV); \
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt && \
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e . && \
	$(BIN)/python -m node.kafka_jars && \
	rm -f $(VENV)/installed-* && touch $@ && \
	echo "下载与安装用时 · downloads and installation took $$(( $$(date +%s) - begun )) s"

demo: setup ## 两座城市的故事;EXIT=1 讲完即停 · two cities, one volunteer; EXIT=1 stops after it
	@$(BIN)/python -m node.demo --target $(TARGET) $(if $(EXIT),--exit)

test: setup ## 提交前须全部通过 · everything a commit must pass
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -q -n $(WORKERS) --dist loadfile --no-loadscope-reorder $(if $(JUNIT),--junitxml=$(JUNIT)) $(ONLY)

test-containers: setup ## 容器测试,需要容器引擎 · the tests of containers; they need an engine
	$(BIN)/python -m pytest -q -m containers tests/containers

image: ## 制作镜像 jiexu · build the image jiexu
	docker build -t jiexu .

check: setup ## 只做静态检查 · the static checks alone
	$(BIN)/ruff check .
	$(BIN)/mypy

bench: setup ## 测速,与参照并列;QUICK=1 约三分钟 · figures beside references; QUICK=1 takes about 3 minutes
	@$(BIN)/python -m bench $(if $(QUICK),--quick) $(MEASURES)

clean: ## 删除演示数据和缓存 · remove data of the demo and caches
	rm -rf data/demo build .pytest_cache .mypy_cache .ruff_cache .hypothesis
