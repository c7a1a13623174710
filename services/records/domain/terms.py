"""Which Chinese stands for each code that a refusal names? The law's term, where it has one."""

from __future__ import annotations

from typing import Final

from shared.messages import Terms

FIELD_REASONS: Final[Terms] = {
    "reason": {
        "control_character": "含有控制字符",
        "empty": "为空",
        "longer_than_6144_bytes": "内容超过 6144 字节",
        "longer_than_8192_bytes": "内容超过 8192 字节",
        "missing": "未填写",
        "more_than_9999_versions": "版本数超过 9999",
        "negative": "不得小于零",
        "no_code": "不是代码",
        "no_label": "不是代码",
        "no_policy_for_that_day": "该日期没有适用的记录政策",
        "no_reference": "不是编号",
        "no_region_code": "不是行政区划代码",
        "not_1_to_100000": "须为 1 至 100000",
        "not_allowed_here": "此处不适用",
        "not_in_this_sheet": "不在该表格之内",
        "not_nfc": "字符编码形式不规范",
        "not_the_day_of_started_at": "与开始时间不在同一天",
        "not_whole_seconds": "须为整秒",
        "nothing_changes": "没有任何变更",
        "out_of_range": "超出范围",
        "reserved": "由系统保留",
        "taken_for_another_subject": "已用于另一位志愿者",
        "too_early": "过早",
        "too_long": "过长",
        "too_many": "数量过多",
        "unknown": "不在可选值之内",
        "without_times": "缺少起止时间",
        "wrong_form": "格式不符",
    }
}
POLICY_KINDS: Final[Terms] = {"kind": {"recording": "服务记录"}}
CATEGORIES: Final[Terms] = {
    "why": {
        "training_activity": "培训活动",
        "duty_work": "履行职责或有报酬的工作",
        "donation": "捐赠",
        "other": "其他活动",
    }
}
SANCTIONS: Final[Terms] = {
    "status": {
        "warning": "受到警告",
        "correction_by": "被责令限期改正",
        "stop_and_rectify": "被责令限期停止活动并整改",
        "licence_revoked": "被吊销登记证书",
        "fine_fen": "受到罚款",
        "return_pay": "被责令退还所收报酬",
        "stopped": "已停止活动",
    }
}
TIERS: Final[Terms] = {
    "tier": {"parent_organisation": "上级组织", "higher_authority": "上级主管部门"}
}
PROVENANCE: Final[Terms] = {
    "field": {
        "recorder": "记录单位",
        "organisation_id": "记录单位",
        "issuer": "记录地",
        "subject_id": "志愿者",
        "entry_id": "编号",
        "home": "现归属地",
        "team_id": "志愿团体",
    }
}
STATES: Final[Terms] = {
    "state": {
        "pending": "待审核",
        "publicised": "公示中",
        "approved": "已审核通过",
        "rejected": "未审核通过",
        "disputed": "异议处理中",
        "revoked": "已撤销",
    }
}
