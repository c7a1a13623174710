"""Which Chinese stands for each code that a refusal names? The law's term, where it has one."""

from __future__ import annotations

from typing import Final

from shared.messages import Terms

FIELD_REASONS: Final[Terms] = {
    "reason": {
        "before_from": "早于开始日期",
        "characters": "含有不允许的字符",
        "does_not_follow": "与核验结果不符",
        "form": "格式不符",
        "future": "晚于现在",
        "is_filed": "此类组织应办理备案",
        "length": "长度或数量不符",
        "missing": "未填写",
        "no_code": "不是代码",
        "no_identity": "没有可供核对的证件",
        "out_of_range": "超出范围",
        "past": "已经过去",
        "region_code": "不是行政区划代码",
        "this_city": "就是本市，转移码应交给另一城市",
        "too_many": "数量过多",
        "twice": "重复填写",
    }
}
DOCUMENT_REASONS: Final[Terms] = {
    "reason": {
        "birth_before_1900": "出生日期早于 1900 年",
        "birth_date": "出生日期不存在",
        "birth_in_future": "出生日期在将来",
        "century_ambiguous_15": "十五位号码的出生年份不明确",
        "characters": "含有不允许的字符",
        "check_character": "校验码不符",
        "country": "国家代码不符",
        "length": "位数不符",
        "province_code": "地址码不符",
    }
}
USCC_REASONS: Final[Terms] = {
    "reason": {
        "characters": "含有不允许的字符",
        "check_character": "校验码不符",
        "length": "位数不符",
        "region_code": "行政区划代码不符",
    }
}
# The rules of the models that judge a policy's content, by the names that pydantic gives them.
CONTENT_REASONS: Final[Terms] = {
    "reason": {
        "differs": "与原有版本不一致",
        "larger_than_200_kib": "超过 200 KiB",
        "number_is_no_whole_number": "数字须为整数",
        "missing": "缺少必填项",
        "extra_forbidden": "含有未知的项",
        "literal_error": "不在可选值之内",
        "union_tag_invalid": "不在可选值之内",
        "union_tag_not_found": "缺少必填项",
        "value_error": "与其他项不一致",
        "string_type": "应为文字",
        "string_too_short": "文字过短",
        "string_too_long": "文字过长",
        "string_pattern_mismatch": "格式不符",
        "int_type": "应为整数",
        "bool_type": "应为是或否",
        "date_type": "应为日期",
        "date_parsing": "不是有效日期",
        "dict_type": "应为对象",
        "model_type": "应为对象",
        "tuple_type": "应为列表",
        "too_short": "项数过少",
        "too_long": "项数过多",
        "greater_than_equal": "数值过小",
        "less_than_equal": "数值过大",
    }
}
